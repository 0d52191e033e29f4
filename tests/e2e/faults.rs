//! What breaks, and that no mail is lost by it.

mod without;
