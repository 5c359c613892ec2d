//! What of a client's offer of permessage-deflate is taken (RFC 7692 section 7.1).

/// The window that the server compresses with where it may choose: 4 KiB keep most of the gain, and
/// take a good deal less memory than 32.
pub const OWN_WINDOW: u8 = 12;
pub const LARGEST_WINDOW: u8 = 15;
/// zlib has no window of 256 bytes.
const SMALLEST_WINDOW: u8 = 9;

/// What both sides keep to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreement {
    /// The server compresses each message for itself.
    pub server_forgets: bool,
    /// The client compresses each message for itself.
    pub client_forgets: bool,
    /// The server's window, as a power of two.
    pub server_window: u8,
    /// The client's window.
    pub client_window: u8,
}

impl Agreement {
    /// The value of the response's Sec-WebSocket-Extensions.
    pub fn header(&self) -> String {
        let mut text = terms(self.server_forgets, self.client_forgets, self.server_window);
        if self.client_window < LARGEST_WINDOW {
            text.push_str(&format!("; client_max_window_bits={}", self.client_window));
        }
        text
    }
}

/// The extension's name and the parameters that an offer and an answer write alike; a client's window may have
/// no value in an offer.
pub(crate) fn terms(server_forgets: bool, client_forgets: bool, server_window: u8) -> String {
    let mut text = String::from("permessage-deflate");
    if server_forgets {
        text.push_str("; server_no_context_takeover");
    }
    if client_forgets {
        text.push_str("; client_no_context_takeover");
    }
    if server_window < LARGEST_WINDOW {
        text.push_str(&format!("; server_max_window_bits={server_window}"));
    }
    text
}

/// Takes the first offer that can be kept to. `offers` are the values of Sec-WebSocket-Extensions.
pub fn negotiate<'a>(offers: impl Iterator<Item = &'a str>) -> Option<Agreement> {
    offers.flat_map(|value| value.split(',')).find_map(accept)
}

fn accept(offer: &str) -> Option<Agreement> {
    let mut parts = offer.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case("permessage-deflate") {
        return None;
    }
    let mut agreement = Agreement {
        server_forgets: false,
        client_forgets: false,
        server_window: OWN_WINDOW,
        client_window: LARGEST_WINDOW,
    };
    let mut seen = Vec::new();
    for part in parts {
        let (name, value) = parameter(part);
        match (name.as_str(), value) {
            ("server_no_context_takeover", None) => agreement.server_forgets = true,
            ("client_no_context_takeover", None) => agreement.client_forgets = true,
            ("server_max_window_bits", Some(bits)) => {
                agreement.server_window = window(bits)?.min(OWN_WINDOW);
                if agreement.server_window < SMALLEST_WINDOW {
                    return None;
                }
            }
            // Without a value the client says that it can be told one: so it is.
            ("client_max_window_bits", None) => agreement.client_window = OWN_WINDOW,
            ("client_max_window_bits", Some(bits)) => {
                // A smaller window than we can take apart is taken apart by a larger one.
                agreement.client_window = window(bits)?.min(OWN_WINDOW);
            }
            // Section 7.1: what is unknown, or said twice, makes an offer that is not taken.
            _ => return None,
        }
        if seen.contains(&name) {
            return None;
        }
        seen.push(name);
    }
    Some(agreement)
}

/// The name of a parameter, in lower case, and its value.
pub fn parameter(part: &str) -> (String, Option<&str>) {
    let (name, value) = match part.split_once('=') {
        Some((name, value)) => (name.trim(), Some(value.trim().trim_matches('"'))),
        None => (part.trim(), None),
    };
    (name.to_ascii_lowercase(), value)
}

/// Section 7.1.2: a number from 8 to 15 without leading zeros.
pub fn window(bits: &str) -> Option<u8> {
    let is_plain = !bits.starts_with('0') && bits.bytes().all(|byte| byte.is_ascii_digit());
    bits.parse().ok().filter(|bits| is_plain && (8..=LARGEST_WINDOW).contains(bits))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(offers: &[&str]) -> Option<String> {
        negotiate(offers.iter().copied()).map(|agreement| agreement.header())
    }

    fn said(text: &str) -> Option<String> {
        Some(format!("permessage-deflate{text}"))
    }

    #[test]
    fn an_offer_is_answered_with_what_both_keep_to() {
        assert_eq!(answer(&["permessage-deflate"]), said("; server_max_window_bits=12"));
        assert_eq!(
            answer(&["Permessage-Deflate; client_max_window_bits"]),
            said("; server_max_window_bits=12; client_max_window_bits=12")
        );
        assert_eq!(
            answer(&["permessage-deflate; server_max_window_bits=10; client_max_window_bits=\"9\""]),
            said("; server_max_window_bits=10; client_max_window_bits=9")
        );
        assert_eq!(
            answer(&["permessage-deflate;server_no_context_takeover ; client_no_context_takeover"]),
            said("; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12")
        );
    }

    #[test]
    fn the_first_offer_that_can_be_kept_to_is_taken() {
        let first = "x-webkit-deflate-frame, permessage-deflate; server_max_window_bits=8";
        let second = "permessage-deflate; server_no_context_takeover";
        assert_eq!(answer(&[first, second]), said("; server_no_context_takeover; server_max_window_bits=12"));
    }

    #[test]
    fn an_offer_that_is_malformed_is_not_taken() {
        for parameters in [
            "unknown",
            "server_no_context_takeover=1",
            "server_max_window_bits",
            "server_max_window_bits=7",
            "server_max_window_bits=16",
            "server_max_window_bits=010",
            "client_max_window_bits=+9",
            "client_max_window_bits=",
            "client_no_context_takeover; client_no_context_takeover",
            "",
        ] {
            assert_eq!(answer(&[&format!("permessage-deflate; {parameters}")]), None, "{parameters}");
        }
        assert_eq!(answer(&["", ",", ";", "permessage-deflat"]), None);
    }

    proptest! {
        #[test]
        fn no_offer_makes_it_panic(offer: String) {
            let _ = answer(&[&offer, &format!("permessage-deflate; {offer}")]);
        }
    }
}
