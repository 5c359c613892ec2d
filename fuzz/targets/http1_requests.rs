//! The gate in front of HTTP/1, for libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hoop_fuzz::http1_requests(bytes));
