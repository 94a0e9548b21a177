//! Hygiene tests of lakekey; they are in `hygiene/`.
