//! What was built.

/// The version of the boundary. It grows when a binding built against an older one would misread what it gets.
pub const ABI: u32 = 1;

/// The version of lakekey.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
