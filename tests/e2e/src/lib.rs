//! The Rust client, the emulator and a real Postgres together. The tests are in `tests/`.
