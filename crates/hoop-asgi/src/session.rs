//! A WebSocket session as an application leads it (ASGI WebSocket spec; RFC 6455 section 7.4).

use crate::fault::Fault;

/// The payload of a control frame, less the two bytes of the code (RFC 6455 section 5.5).
const LONGEST_REASON: usize = 123;

/// What to do with a close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseStep {
    /// The handshake was not answered yet: refuse it.
    Refuse,
    /// Send a close frame.
    Close,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connecting,
    /// A response is on its way in place of a WebSocket.
    Denying,
    Open,
    Closed,
}

/// How far a session has come, as far as the application decides it.
#[derive(Debug)]
pub struct SessionState(Stage);

impl Default for SessionState {
    fn default() -> Self {
        Self(Stage::Connecting)
    }
}

impl SessionState {
    /// Whether the handshake waits for its answer.
    pub fn is_connecting(&self) -> bool {
        matches!(self.0, Stage::Connecting | Stage::Denying)
    }

    /// Whether the application has closed or refused it.
    pub fn is_closed(&self) -> bool {
        self.0 == Stage::Closed
    }

    /// 'websocket.accept'.
    pub fn accept(&mut self) -> Result<(), Fault> {
        match self.0 {
            Stage::Connecting => self.0 = Stage::Open,
            Stage::Denying => return Err(Fault::AcceptAfterDenial),
            Stage::Open => return Err(Fault::SecondAccept),
            Stage::Closed => return Err(Fault::AfterClose("websocket.accept")),
        }
        Ok(())
    }

    /// 'websocket.http.response.start': only instead of an accept.
    pub fn deny(&mut self) -> Result<(), Fault> {
        match self.0 {
            Stage::Connecting | Stage::Denying => self.0 = Stage::Denying,
            Stage::Open => return Err(Fault::DenialAfterAccept),
            Stage::Closed => return Err(Fault::AfterClose("websocket.http.response.start")),
        }
        Ok(())
    }

    /// 'websocket.send'.
    pub fn send(&self) -> Result<(), Fault> {
        match self.0 {
            Stage::Connecting | Stage::Denying => Err(Fault::SendBeforeAccept),
            Stage::Open => Ok(()),
            Stage::Closed => Err(Fault::AfterClose("websocket.send")),
        }
    }

    /// 'websocket.close', or the server's own end of the session.
    pub fn close(&mut self) -> Result<CloseStep, Fault> {
        let step = match self.0 {
            Stage::Connecting | Stage::Denying => CloseStep::Refuse,
            Stage::Open => CloseStep::Close,
            Stage::Closed => return Err(Fault::AfterClose("websocket.close")),
        };
        self.0 = Stage::Closed;
        Ok(step)
    }
}

/// Checks what a close frame would carry.
pub fn check_close(code: u16, reason: &str) -> Result<(), Fault> {
    // 1004 to 1006 and 1015 are for reports only; 1016 to 2999 belong to future standards.
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Fault::CloseCode(code));
    }
    if reason.len() > LONGEST_REASON {
        return Err(Fault::CloseReason(reason.len()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_accepted_once_used_and_closed_once() {
        let mut state = SessionState::default();
        assert_eq!(state.send(), Err(Fault::SendBeforeAccept));
        assert_eq!(state.accept(), Ok(()));
        assert_eq!(state.deny(), Err(Fault::DenialAfterAccept));
        assert_eq!(state.accept(), Err(Fault::SecondAccept));
        assert_eq!(state.send(), Ok(()));
        assert_eq!(state.close(), Ok(CloseStep::Close));
        assert_eq!(state.close(), Err(Fault::AfterClose("websocket.close")));
        assert_eq!(state.send(), Err(Fault::AfterClose("websocket.send")));
        assert_eq!(state.accept(), Err(Fault::AfterClose("websocket.accept")));
    }

    #[test]
    fn a_close_instead_of_an_accept_refuses() {
        let mut state = SessionState::default();
        assert_eq!(state.close(), Ok(CloseStep::Refuse));
        assert!(state.is_closed());
    }

    #[test]
    fn a_denial_stands_in_place_of_an_accept() {
        let mut state = SessionState::default();
        assert_eq!(state.deny(), Ok(()));
        assert_eq!(state.accept(), Err(Fault::AcceptAfterDenial));
        assert_eq!(state.send(), Err(Fault::SendBeforeAccept));
        assert!(state.is_connecting());
        assert_eq!(state.close(), Ok(CloseStep::Refuse));
        assert_eq!(state.deny(), Err(Fault::AfterClose("websocket.http.response.start")));
    }

    #[test]
    fn only_codes_for_the_wire_are_sent() {
        for code in [1000, 1003, 1007, 1011, 1012, 1014, 3000, 4999] {
            assert_eq!(check_close(code, ""), Ok(()), "{code}");
        }
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, u16::MAX] {
            assert_eq!(check_close(code, ""), Err(Fault::CloseCode(code)));
        }
    }

    #[test]
    fn a_reason_fits_its_frame() {
        assert_eq!(check_close(1000, &"x".repeat(123)), Ok(()));
        // Counted in bytes: 62 of these take 124.
        assert_eq!(check_close(1000, &"é".repeat(62)), Err(Fault::CloseReason(124)));
    }
}
