//! lakekey.
