//! The reader of server-sent events, for libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hoop_fuzz::event_stream(bytes));
