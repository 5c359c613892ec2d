//! The ledger of HTTP/2 frames, for libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hoop_fuzz::http2_ledger(bytes));
