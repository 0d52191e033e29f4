//! Descriptors that a thread's runtime watches.

use std::io;
use std::os::fd::AsRawFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// What answers `as_raw_fd` with a descriptor that is its own, from end to end.
pub(super) trait OwnsDescriptor: AsRawFd {}

/// Has this thread's runtime watch it.
///
/// What replaces the deprecated constructor is unsafe, since a value may answer with a descriptor that it does not own.
#[expect(deprecated, reason = "sound for a type that owns its descriptor, and this crate has no unsafe code")]
pub(super) fn watched<T: OwnsDescriptor>(source: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    AsyncFd::with_interest(source, interest)
}
