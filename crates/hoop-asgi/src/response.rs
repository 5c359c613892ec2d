//! An HTTP response as an application sends it (ASGI HTTP spec, "Response Start", "Response Body").

use crate::fault::Fault;

/// What to do with a piece of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyStep {
    /// It is the whole body: send head and body as one.
    Whole,
    /// It is the first of several: send the head and begin a stream.
    Begin,
    /// It is one more.
    Continue,
    /// It is the last of several.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    AwaitingStart,
    Started,
    Streaming,
    AwaitingTrailers,
    Complete,
}

/// How far a response has come.
#[derive(Debug)]
pub struct ResponseState {
    stage: Stage,
    declared: Option<u64>,
    sent: u64,
    /// Answers HEAD, or has a status without a body: then its length says nothing about what is sent.
    bodyless: bool,
    /// The head has announced trailers.
    trailers: bool,
}

impl ResponseState {
    /// Nothing sent yet; `answers_head` for a response to a HEAD request.
    pub fn new(answers_head: bool) -> Self {
        Self { stage: Stage::AwaitingStart, declared: None, sent: 0, bodyless: answers_head, trailers: false }
    }

    /// Whether the last of it was sent.
    pub fn is_complete(&self) -> bool {
        self.stage == Stage::Complete
    }

    /// Whether something of the response is on its way, so that no other can take its place.
    pub fn is_committed(&self) -> bool {
        matches!(self.stage, Stage::Streaming | Stage::AwaitingTrailers | Stage::Complete)
    }

    /// Whether the response has a head only, whatever the application sends.
    pub fn is_bodyless(&self) -> bool {
        self.bodyless
    }

    /// The exact length of a streamed body, where the application has declared it.
    pub fn declared_length(&self) -> Option<u64> {
        self.declared.filter(|_| !self.bodyless)
    }

    /// An early hint, which may come before the head alone.
    pub fn hint(&self) -> Result<(), Fault> {
        if self.stage == Stage::AwaitingStart { Ok(()) } else { Err(Fault::HintAfterStart) }
    }

    /// What is for developers alone, which may come before the head alone.
    pub fn debug(&self) -> Result<(), Fault> {
        if self.stage == Stage::AwaitingStart { Ok(()) } else { Err(Fault::DebugAfterStart) }
    }

    /// The head: its status, the content-length that it declares, and whether it announces trailers.
    pub fn start(&mut self, status: u16, declared: Option<u64>, trailers: bool) -> Result<(), Fault> {
        match self.stage {
            Stage::AwaitingStart => {}
            Stage::Started | Stage::Streaming | Stage::AwaitingTrailers => return Err(Fault::SecondStart),
            Stage::Complete => return Err(Fault::AfterEnd("http.response.start")),
        }
        self.stage = Stage::Started;
        self.declared = declared;
        self.trailers = trailers;
        // RFC 9110 section 6.4.1.
        self.bodyless |= matches!(status, 204 | 304);
        Ok(())
    }

    /// A piece of the body of `length` bytes; `more` announces another.
    pub fn body(&mut self, length: u64, more: bool) -> Result<BodyStep, Fault> {
        let step = match (self.stage, more) {
            (Stage::AwaitingStart, _) => return Err(Fault::BodyBeforeStart),
            (Stage::Complete, _) => return Err(Fault::AfterEnd("http.response.body")),
            (Stage::AwaitingTrailers, _) => return Err(Fault::BodyAfterEnd),
            (Stage::Started, false) if self.trailers => BodyStep::Begin,
            (Stage::Streaming, false) if self.trailers => BodyStep::Continue,
            (Stage::Started, false) => BodyStep::Whole,
            (Stage::Started, true) => BodyStep::Begin,
            (Stage::Streaming, true) => BodyStep::Continue,
            (Stage::Streaming, false) => BodyStep::End,
        };
        let sent = self.sent.saturating_add(length);
        if let Some(declared) = self.declared_length() {
            if sent > declared {
                return Err(Fault::TooLong { declared, sent });
            }
            if !more && sent < declared {
                return Err(Fault::TooShort { declared, sent });
            }
        }
        self.sent = sent;
        self.stage = match (more, self.trailers) {
            (true, _) => Stage::Streaming,
            (false, true) => Stage::AwaitingTrailers,
            (false, false) => Stage::Complete,
        };
        Ok(step)
    }

    /// Trailers; `more` announces others.
    pub fn trailers(&mut self, more: bool) -> Result<(), Fault> {
        match self.stage {
            Stage::AwaitingTrailers => {}
            Stage::Complete => return Err(Fault::AfterEnd("http.response.trailers")),
            _ if !self.trailers => return Err(Fault::TrailersUnannounced),
            _ => return Err(Fault::TrailersBeforeEnd),
        }
        if !more {
            self.stage = Stage::Complete;
        }
        Ok(())
    }

    /// The server answers in the application's stead, or gives up: nothing may follow.
    pub fn finish(&mut self) {
        self.stage = Stage::Complete;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(declared: Option<u64>) -> ResponseState {
        let mut state = ResponseState::new(false);
        state.start(200, declared, false).expect("the first start");
        state
    }

    #[test]
    fn a_single_body_goes_out_whole() {
        let mut state = started(None);
        assert!(!state.is_committed());
        assert_eq!(state.body(5, false), Ok(BodyStep::Whole));
        assert!(state.is_complete());
    }

    #[test]
    fn several_bodies_are_a_stream() {
        let mut state = started(None);
        assert_eq!(state.body(5, true), Ok(BodyStep::Begin));
        assert!(state.is_committed() && !state.is_complete());
        assert_eq!(state.body(0, true), Ok(BodyStep::Continue));
        assert_eq!(state.body(1, false), Ok(BodyStep::End));
        assert_eq!(state.body(1, false), Err(Fault::AfterEnd("http.response.body")));
    }

    #[test]
    fn order_is_kept() {
        let mut state = ResponseState::new(false);
        assert_eq!(state.body(1, false), Err(Fault::BodyBeforeStart));
        state.start(200, None, false).expect("the first start");
        assert_eq!(state.start(200, None, false), Err(Fault::SecondStart));
        state.body(0, false).expect("the body");
        assert_eq!(state.start(200, None, false), Err(Fault::AfterEnd("http.response.start")));
    }

    #[test]
    fn a_body_is_as_long_as_declared() {
        assert_eq!(started(Some(4)).body(5, true), Err(Fault::TooLong { declared: 4, sent: 5 }));
        assert_eq!(started(Some(4)).body(3, false), Err(Fault::TooShort { declared: 4, sent: 3 }));
        assert_eq!(started(Some(4)).body(4, false), Ok(BodyStep::Whole));
    }

    #[test]
    fn trailers_come_last_and_only_if_they_were_announced() {
        let mut state = ResponseState::new(false);
        state.start(200, None, true).expect("the start");
        assert_eq!(state.trailers(false), Err(Fault::TrailersBeforeEnd));
        assert_eq!(state.body(5, false), Ok(BodyStep::Begin));
        assert_eq!(state.body(5, false), Err(Fault::BodyAfterEnd));
        assert!(!state.is_complete());
        assert_eq!(state.trailers(true), Ok(()));
        assert_eq!(state.trailers(false), Ok(()));
        assert!(state.is_complete());
        assert_eq!(state.trailers(false), Err(Fault::AfterEnd("http.response.trailers")));
        assert_eq!(started(None).trailers(false), Err(Fault::TrailersUnannounced));
    }

    #[test]
    fn hints_come_before_the_head() {
        assert_eq!(ResponseState::new(false).hint(), Ok(()));
        assert_eq!(started(None).hint(), Err(Fault::HintAfterStart));
        assert_eq!(ResponseState::new(false).debug(), Ok(()));
        assert_eq!(started(None).debug(), Err(Fault::DebugAfterStart));
    }

    #[test]
    fn a_fault_leaves_the_response_as_it_was() {
        let mut state = started(Some(4));
        assert!(state.body(9, false).is_err());
        assert!(!state.is_committed());
        assert_eq!(state.body(4, false), Ok(BodyStep::Whole));
    }

    #[test]
    fn a_response_without_a_body_may_declare_any_length() {
        let mut head = ResponseState::new(true);
        head.start(200, Some(1000), false).expect("the start");
        assert_eq!(head.body(0, false), Ok(BodyStep::Whole));
        assert_eq!(head.declared_length(), None);
        let mut unchanged = ResponseState::new(false);
        unchanged.start(304, Some(1000), false).expect("the start");
        assert_eq!(unchanged.body(0, false), Ok(BodyStep::Whole));
    }
}
