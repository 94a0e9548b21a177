//! Hygiene, oracle and end-to-end tests of lakekey.
