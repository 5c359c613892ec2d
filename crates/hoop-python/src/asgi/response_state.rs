//! What an ASGI application may send when (ASGI HTTP spec, "Response Start" and "Response Body").

/// A breach of the protocol by the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("the application sent 'http.response.body' before 'http.response.start'")]
    BodyBeforeStart,
    #[error("the application sent 'http.response.start' twice")]
    SecondStart,
    #[error("the application sent {0:?} after the response was complete")]
    AfterEnd(&'static str),
    #[error("the application declared content-length {declared} and sent {sent} bytes or more")]
    TooLong { declared: u64, sent: u64 },
    #[error("the application declared content-length {declared} and sent only {sent} bytes")]
    TooShort { declared: u64, sent: u64 },
}

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
}

impl ResponseState {
    pub fn new(answers_head: bool) -> Self {
        Self { stage: Stage::AwaitingStart, declared: None, sent: 0, bodyless: answers_head }
    }

    pub fn is_complete(&self) -> bool {
        self.stage == Stage::Complete
    }

    /// Whether something of the response is on its way, so that no other can take its place.
    pub fn is_committed(&self) -> bool {
        matches!(self.stage, Stage::Streaming | Stage::Complete)
    }

    /// The exact length of a streamed body, where the application has declared it.
    pub fn declared_length(&self) -> Option<u64> {
        self.declared.filter(|_| !self.bodyless)
    }

    pub fn start(&mut self, status: u16, declared: Option<u64>) -> Result<(), Fault> {
        match self.stage {
            Stage::AwaitingStart => {}
            Stage::Started | Stage::Streaming => return Err(Fault::SecondStart),
            Stage::Complete => return Err(Fault::AfterEnd("http.response.start")),
        }
        self.stage = Stage::Started;
        self.declared = declared;
        // RFC 9110 section 6.4.1.
        self.bodyless |= matches!(status, 204 | 304);
        Ok(())
    }

    pub fn body(&mut self, length: u64, more: bool) -> Result<BodyStep, Fault> {
        let step = match (self.stage, more) {
            (Stage::AwaitingStart, _) => return Err(Fault::BodyBeforeStart),
            (Stage::Complete, _) => return Err(Fault::AfterEnd("http.response.body")),
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
        self.stage = if more { Stage::Streaming } else { Stage::Complete };
        Ok(step)
    }

    /// The server answers in the application's stead, or gives up: nothing may follow.
    pub fn finish(&mut self) {
        self.stage = Stage::Complete;
    }
}
