//! How far a TLS connection has come, for the wire and for the application.

/// Where the connection stands between its first and its last TLS record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not begun, or over: nothing is encrypted any more.
    Unwrapped,
    Handshaking,
    /// Application data goes both ways.
    Wrapped,
    /// The application has closed: what it wrote goes out, what has arrived is still delivered.
    Flushing,
    /// Both sides exchange their close_notify.
    ShuttingDown,
}

impl Phase {
    /// Whether what the application writes now goes nowhere.
    pub const fn is_written_off(self) -> bool {
        matches!(self, Self::Unwrapped | Self::Flushing | Self::ShuttingDown)
    }

    /// Whether what arrives may be application data.
    pub const fn has_data(self) -> bool {
        matches!(self, Self::Wrapped | Self::Flushing)
    }
}

/// What the application's protocol was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    Nothing,
    /// `connection_made`.
    Made,
    /// `eof_received`, after that.
    EndOfFile,
    /// `connection_lost`, at last.
    Lost,
}

impl Told {
    /// Whether `connection_lost` is still owed.
    pub const fn is_owed_the_loss(self) -> bool {
        matches!(self, Self::Made | Self::EndOfFile)
    }
}
