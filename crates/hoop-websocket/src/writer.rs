//! Puts messages into frames.

use crate::deflate::Deflater;
use crate::frame::{BINARY, CLOSE, LONGEST_CONTROL, PING, PONG, TEXT, push_head};
use crate::negotiation::Agreement;

/// Below this deflate gains next to nothing.
const WORTH_COMPRESSING: usize = 64;

/// Writes the server's frames.
pub struct Writer {
    deflater: Option<Deflater>,
    /// Where a message is compressed, before its length is known.
    compressed: Vec<u8>,
}

impl Writer {
    /// With what was agreed on in the handshake.
    pub fn new(agreement: Option<Agreement>) -> Self {
        let deflater = agreement.map(|agreed| Deflater::new(agreed.server_window, agreed.server_forgets));
        Self { deflater, compressed: Vec::new() }
    }

    /// Appends a text message.
    pub fn text(&mut self, text: &str, out: &mut Vec<u8>) {
        self.message(TEXT, text.as_bytes(), out);
    }

    /// Appends a binary message.
    pub fn binary(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.message(BINARY, bytes, out);
    }

    fn message(&mut self, opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
        match &mut self.deflater {
            Some(deflater) if payload.len() >= WORTH_COMPRESSING => {
                self.compressed.clear();
                deflater.deflate(payload, &mut self.compressed);
                push_head(out, opcode, true, self.compressed.len());
                out.append(&mut self.compressed);
                // Idle connections keep no memory for it.
                self.compressed = Vec::new();
            }
            _ => {
                out.reserve(payload.len() + 10);
                push_head(out, opcode, false, payload.len());
                out.extend_from_slice(payload);
            }
        }
    }

    /// Appends a ping; more than 125 bytes are cut.
    pub fn ping(&self, payload: &[u8], out: &mut Vec<u8>) {
        control(PING, payload, out);
    }

    /// Appends a pong.
    pub fn pong(&self, payload: &[u8], out: &mut Vec<u8>) {
        control(PONG, payload, out);
    }

    /// Appends a close frame; without a code it is empty (RFC 6455 section 5.5.1).
    pub fn close(&self, code: Option<u16>, reason: &str, out: &mut Vec<u8>) {
        match code {
            Some(code) => control(CLOSE, &[&code.to_be_bytes(), reason.as_bytes()].concat(), out),
            None => control(CLOSE, &[], out),
        }
    }
}

fn control(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    let payload = payload.get(..LONGEST_CONTROL as usize).unwrap_or(payload);
    push_head(out, opcode, false, payload.len());
    out.extend_from_slice(payload);
}
