//! The milter protocol, from bytes to replies.
