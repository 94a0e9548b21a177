//! What people call a database.

use lakekey::name::Target;

/// A target is refused with a reason, or its own way of writing it is read as the same one.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match Target::parse(text, "the fuzzer") {
        Ok(target) => {
            let written = target.to_string();
            let again = Target::parse(&written, "itself");
            assert_eq!(
                again.as_ref().ok(),
                Some(&target),
                "{text:?} -> {written:?}"
            );
        }
        Err(error) => {
            assert!(error.message().contains("the fuzzer"), "{error}");
            assert!(error.hint().is_some(), "{error}");
        }
    }
}
