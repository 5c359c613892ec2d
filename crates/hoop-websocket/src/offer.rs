//! What a client offers of permessage-deflate, and what it may be answered (RFC 7692 section 7.1).

use crate::negotiation::{Agreement, LARGEST_WINDOW, parameter, terms, window};

/// A client's offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// The server is to compress each message for itself.
    pub server_forgets: bool,
    /// The client says that it will.
    pub client_forgets: bool,
    /// The largest window that the server may have, from 8 to 15.
    pub server_window: u8,
    /// The largest that the client will have.
    pub client_window: u8,
}

impl Default for Offer {
    /// All that compresses best: context is kept, and windows are as large as they get.
    fn default() -> Self {
        Self {
            server_forgets: false,
            client_forgets: false,
            server_window: LARGEST_WINDOW,
            client_window: LARGEST_WINDOW,
        }
    }
}

/// An answer that no client can keep to which has made this offer: it fails the handshake (RFC 6455
/// section 4.1).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// An extension that was not offered, or the same one twice.
    #[error("the server takes an extension that was not offered: {0:?}")]
    Extension(String),
    /// A parameter that is unknown, malformed, said twice, or goes beyond the offer.
    #[error("the server answers the offer of permessage-deflate with {0:?}, which does not fit it")]
    Parameter(String),
    /// A limit of the offer that the server does not keep to.
    #[error("the server takes permessage-deflate without {0}, which was asked for")]
    Missing(&'static str),
}

impl Offer {
    /// The value of the request's Sec-WebSocket-Extensions. A client's window is always offered: it can
    /// be told a smaller one.
    pub fn header(&self) -> String {
        let mut text = terms(self.server_forgets, self.client_forgets, self.server_window);
        text.push_str("; client_max_window_bits");
        if self.client_window < LARGEST_WINDOW {
            text.push_str(&format!("={}", self.client_window));
        }
        text
    }

    /// What was agreed on, by the values of the response's Sec-WebSocket-Extensions; nothing, if there are
    /// none.
    pub fn answered<'a>(&self, answers: impl Iterator<Item = &'a str>) -> Result<Option<Agreement>, Misfit> {
        let mut agreed = None;
        for answer in answers.flat_map(|value| value.split(',')).map(str::trim) {
            if answer.is_empty() {
                continue;
            }
            if agreed.is_some() {
                return Err(Misfit::Extension(answer.to_owned()));
            }
            agreed = Some(self.accept(answer)?);
        }
        Ok(agreed)
    }

    fn accept(&self, answer: &str) -> Result<Agreement, Misfit> {
        let mut parts = answer.split(';').map(str::trim);
        if !parts.next().is_some_and(|name| name.eq_ignore_ascii_case("permessage-deflate")) {
            return Err(Misfit::Extension(answer.to_owned()));
        }
        let mut agreement = Agreement {
            server_forgets: false,
            client_forgets: self.client_forgets,
            server_window: LARGEST_WINDOW,
            client_window: self.client_window,
        };
        let mut seen = Vec::new();
        for part in parts {
            let misfit = || Misfit::Parameter(part.to_owned());
            let (name, value) = parameter(part);
            let within = |most: u8| value.and_then(window).filter(|bits| *bits <= most).ok_or_else(misfit);
            match (name.as_str(), value) {
                ("server_no_context_takeover", None) => agreement.server_forgets = true,
                ("client_no_context_takeover", None) => agreement.client_forgets = true,
                ("server_max_window_bits", _) => agreement.server_window = within(self.server_window)?,
                ("client_max_window_bits", _) => agreement.client_window = within(self.client_window)?,
                _ => return Err(misfit()),
            }
            if seen.contains(&name) {
                return Err(misfit());
            }
            seen.push(name);
        }
        // Sections 7.1.1.1 and 7.1.2.1: a server that takes these offers says so.
        if self.server_forgets && !agreement.server_forgets {
            return Err(Misfit::Missing("server_no_context_takeover"));
        }
        if agreement.server_window > self.server_window {
            return Err(Misfit::Missing("server_max_window_bits"));
        }
        Ok(agreement)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::negotiate;

    fn agreed(offer: Offer, answer: &str) -> Option<(bool, bool, u8, u8)> {
        let agreed = offer.answered([answer].into_iter()).ok()??;
        Some((agreed.server_forgets, agreed.client_forgets, agreed.server_window, agreed.client_window))
    }

    #[test]
    fn an_answer_within_the_offer_is_kept_to() {
        let open = Offer::default();
        assert_eq!(open.header(), "permessage-deflate; client_max_window_bits");
        assert_eq!(open.answered([].into_iter()), Ok(None));
        assert_eq!(open.answered(["", " , "].into_iter()), Ok(None));
        assert_eq!(agreed(open, "permessage-deflate"), Some((false, false, 15, 15)));
        let all = "Permessage-Deflate; server_no_context_takeover; client_no_context_takeover; \
                   server_max_window_bits=9; client_max_window_bits=\"8\"";
        assert_eq!(agreed(open, all), Some((true, true, 9, 8)));
    }

    #[test]
    fn an_answer_beyond_the_offer_fails() {
        let narrow =
            Offer { server_forgets: true, client_forgets: true, server_window: 10, client_window: 11 };
        assert_eq!(
            narrow.header(),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=10; client_max_window_bits=11"
        );
        let kept = "permessage-deflate; server_no_context_takeover; server_max_window_bits=10";
        assert_eq!(agreed(narrow, kept), Some((true, true, 10, 11)));
        for answer in [
            "permessage-deflate; server_max_window_bits=10",
            "permessage-deflate; server_no_context_takeover",
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=11",
            "permessage-deflate; server_no_context_takeover; server_max_window_bits=10; \
             client_max_window_bits=12",
        ] {
            assert_eq!(agreed(narrow, answer), None, "{answer}");
        }
        for answer in [
            "x-webkit-deflate-frame",
            "permessage-deflate, permessage-deflate",
            "permessage-deflate; unknown",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; client_max_window_bits=7",
            "permessage-deflate; client_max_window_bits=9; client_max_window_bits=9",
        ] {
            assert_eq!(agreed(Offer::default(), answer), None, "{answer}");
        }
    }

    proptest! {
        #[test]
        fn our_servers_answer_fits_our_offer(
            forgets: (bool, bool),
            server_window in 9_u8..=15,
            client_window in 8_u8..=15,
        ) {
            let offer = Offer { server_forgets: forgets.0, client_forgets: forgets.1, server_window, client_window };
            let header = offer.header();
            let servers = negotiate([header.as_str()].into_iter()).expect("an offer that can be kept to");
            let answer = servers.header();
            prop_assert_eq!(offer.answered([answer.as_str()].into_iter()), Ok(Some(servers)));
        }

        #[test]
        fn no_answer_makes_it_panic(answer: String) {
            let _ = Offer::default().answered([answer.as_str(), &format!("permessage-deflate; {answer}")].into_iter());
        }
    }
}
