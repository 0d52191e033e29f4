//! Settings that are one of a few names.

use std::fmt;
use std::str::FromStr;

use super::value::ValueError;

macro_rules! named {
    ($(#[$meta:meta])* $name:ident, $names:literal { $($(#[$variant_meta:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub enum $name {
            $($(#[$variant_meta])* $variant),*
        }

        impl $name {
            /// The name in the file.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = ValueError;

            fn from_str(text: &str) -> Result<Self, ValueError> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    _ => Err(ValueError($names)),
                }
            }
        }
    };
}

named! {
    /// The least that is worth a log line.
    LogLevel, "it must be one of error, warn, info, debug, trace" {
        /// What a person must act on.
        Error = "error",
        /// What a person should look at.
        Warn = "warn",
        /// Start, stop, reload, one line a message.
        #[default]
        Info = "info",
        /// What helps to find a fault in the configuration.
        Debug = "debug",
        /// Every frame's kind and length.
        Trace = "trace",
    }
}

named! {
    /// How a log line is written.
    LogFormat, "it must be one of text, json" {
        /// For people.
        #[default]
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}

impl From<LogLevel> for tracing::Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}
