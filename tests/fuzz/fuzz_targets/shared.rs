#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lakekey_fuzz::shared::check(data));
