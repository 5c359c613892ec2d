//! The negotiation of permessage-deflate, for libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hoop_fuzz::websocket_offers(bytes));
