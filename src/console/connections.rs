//! How many connections are open at once: sockets that stay idle must not take the descriptors that the milter needs.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum_server::accept::Accept;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::Service;

/// Most connections that are open at once; another is closed as it comes.
pub const MAX_CONNECTIONS: usize = 1_024;

/// Accepts while there is room, and then as `inner` does.
#[derive(Clone)]
pub struct Bounded<A> {
    inner: A,
    room: Arc<Semaphore>,
}

impl<A> Bounded<A> {
    /// With room for so many connections.
    pub fn new(inner: A, connections: usize) -> Self {
        Self { inner, room: Arc::new(Semaphore::new(connections)) }
    }
}

impl<I, S, A> Accept<I, S> for Bounded<A>
where
    A: Accept<I, S>,
    A::Future: Send + 'static,
{
    type Stream = A::Stream;
    type Service = Counted<A::Service>;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, stream: I, service: S) -> Self::Future {
        let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else {
            drop(stream);
            return Box::pin(async { Err(io::Error::other("too many connections")) });
        };
        let accepted = self.inner.accept(stream, service);
        Box::pin(async move {
            let (stream, inner) = accepted.await?;
            Ok((stream, Counted { inner, _permit: Arc::new(permit) }))
        })
    }
}

/// What answers on one connection; it makes room when it goes.
#[derive(Clone)]
pub struct Counted<S> {
    inner: S,
    _permit: Arc<OwnedSemaphorePermit>,
}

impl<R, S: Service<R>> Service<R> for Counted<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.inner.call(request)
    }
}

#[cfg(test)]
mod tests {
    use axum_server::accept::DefaultAcceptor;

    use super::*;

    #[tokio::test]
    async fn a_connection_makes_room_when_it_is_over() {
        let acceptor = Bounded::new(DefaultAcceptor, 2);
        let first = acceptor.accept("a stream", "a service").await.expect("room");
        let _second = acceptor.accept("a stream", "a service").await.expect("room");
        assert!(acceptor.accept("a stream", "a service").await.is_err(), "no more than two");
        drop(first);
        acceptor.accept("a stream", "a service").await.expect("room again");
    }
}
