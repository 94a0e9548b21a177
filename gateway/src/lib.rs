//! A Postgres front door: TLS, SNI, start-up, login, cancel, splice.
