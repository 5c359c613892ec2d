//! Puts messages into frames.

use crate::deflate::Deflater;
use crate::frame::{BINARY, CLOSE, LONGEST_CONTROL, NO_MASK, PING, PONG, TEXT, push_head, push_unmasked};
use crate::negotiation::Agreement;
use crate::role::{MaskKeys, Role};

/// Below this deflate gains next to nothing.
const WORTH_COMPRESSING: usize = 64;
/// Of a client's frame.
const LONGEST_HEAD: usize = 14;

/// Writes one side's frames.
pub struct Writer {
    deflater: Option<Deflater>,
    /// A client's.
    keys: Option<MaskKeys>,
}

/// A frame that any client understands who has agreed to `window`, or to none: what is compressed refers
/// to nothing before it.
pub fn frame_for_all(is_text: bool, payload: &[u8], window: Option<u8>) -> Vec<u8> {
    let opcode = if is_text { TEXT } else { BINARY };
    let mut compressed = Vec::new();
    if let Some(window) = window {
        Deflater::new(window, true).deflate(payload, &mut compressed);
    }
    let payload = if window.is_some() { &compressed } else { payload };
    let mut out = Vec::with_capacity(payload.len() + LONGEST_HEAD);
    push_head(&mut out, opcode, window.is_some(), payload.len(), None);
    out.extend_from_slice(payload);
    out
}

impl Writer {
    /// A server's, with what was agreed on in the handshake.
    pub fn new(agreement: Option<Agreement>) -> Self {
        Self { deflater: agreement.and_then(|agreed| Role::Server.deflater(agreed)), keys: None }
    }

    /// A client's, which masks with these keys.
    pub fn masking(agreement: Option<Agreement>, keys: MaskKeys) -> Self {
        Self { deflater: agreement.and_then(|agreed| Role::Client.deflater(agreed)), keys: Some(keys) }
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
        out.reserve(if self.deflater.is_none() { payload.len() + LONGEST_HEAD } else { 0 });
        if self.begin(opcode == TEXT, payload, out) {
            out.extend_from_slice(payload);
        }
    }

    /// Appends a message but for its payload, if that follows just as it is: then it returns true. What a
    /// client sends never does.
    pub fn begin(&mut self, is_text: bool, payload: &[u8], out: &mut Vec<u8>) -> bool {
        let opcode = if is_text { TEXT } else { BINARY };
        match &mut self.deflater {
            Some(deflater) if payload.len() >= WORTH_COMPRESSING => {
                let mut compressed = Vec::new();
                deflater.deflate(payload, &mut compressed);
                push_frame(out, opcode, true, &compressed, self.keys.as_mut());
                false
            }
            _ if self.keys.is_some() => {
                push_frame(out, opcode, false, payload, self.keys.as_mut());
                false
            }
            _ => {
                push_head(out, opcode, false, payload.len(), None);
                true
            }
        }
    }

    /// The window of a frame that many clients are sent alike, where it is compressed for this one.
    ///
    /// Call [`Self::sent_alike`] once such a frame was sent.
    pub fn window_for(&self, payload: &[u8]) -> Option<u8> {
        self.deflater.as_ref().filter(|_| payload.len() >= WORTH_COMPRESSING).map(Deflater::window)
    }

    /// Somebody else has compressed a message: what this one knows is not where the client looks for it
    /// (RFC 7692 section 7.2.3.2), so it begins anew.
    pub fn sent_alike(&mut self) {
        if let Some(deflater) = &mut self.deflater {
            deflater.forget();
        }
    }

    /// Appends a ping; more than 125 bytes are cut.
    pub fn ping(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        self.control(PING, payload, out);
    }

    /// Appends a pong.
    pub fn pong(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        self.control(PONG, payload, out);
    }

    /// Appends a close frame; without a code it is empty (RFC 6455 section 5.5.1).
    pub fn close(&mut self, code: Option<u16>, reason: &str, out: &mut Vec<u8>) {
        match code {
            Some(code) => self.control(CLOSE, &[&code.to_be_bytes(), reason.as_bytes()].concat(), out),
            None => self.control(CLOSE, &[], out),
        }
    }

    fn control(&mut self, opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
        let payload = payload.get(..LONGEST_CONTROL as usize).unwrap_or(payload);
        push_frame(out, opcode, false, payload, self.keys.as_mut());
    }
}

fn push_frame(
    out: &mut Vec<u8>,
    opcode: u8,
    is_compressed: bool,
    payload: &[u8],
    keys: Option<&mut MaskKeys>,
) {
    let mask = keys.map(MaskKeys::next_key);
    push_head(out, opcode, is_compressed, payload.len(), mask);
    push_unmasked(out, payload, mask.unwrap_or(NO_MASK));
}
