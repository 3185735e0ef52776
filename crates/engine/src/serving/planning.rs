//! Planning beside the threads that serve sockets: a plan that takes long holds up nobody, and ends when nobody waits.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Semaphore;

use crate::error::{GraphqlError, Result};
use crate::plan::Planned;
use crate::request::Request;
use crate::session::Session;
use crate::state::State;

/// Plans that are made at a time: as many as there are processors, in the order in which they were asked for.
pub(crate) struct Planning {
    turns: Arc<Semaphore>,
}

impl Default for Planning {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self { turns: Arc::new(Semaphore::new(processors)) }
    }
}

/// Says stop when it is dropped, which is when the request's time is over or its client has gone.
#[derive(Default)]
struct Wanted(Arc<AtomicBool>);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Planning {
    /// Plans a request: at once when its document is known, else on a thread of its own.
    ///
    /// # Errors
    /// As [`State::plan`].
    pub async fn plan(&self, state: &Arc<State>, session: &Session, request: &Request) -> Result<Planned> {
        if let Some(planned) = state.known(session, request) {
            return planned;
        }
        Box::pin(self.anew(state.clone(), session.clone(), request.clone())).await
    }

    async fn anew(&self, state: Arc<State>, session: Session, request: Request) -> Result<Planned> {
        let closed = |_| GraphqlError::unexpected("the engine has stopped");
        let turn = self.turns.clone().acquire_owned().await.map_err(closed)?;
        let wanted = Wanted::default();
        let stop = wanted.0.clone();
        let planned = tokio::task::spawn_blocking(move || {
            // Held by the work, not by who waits for it: work that was given up still takes a processor until it ends.
            let _turn = turn;
            state.plan_anew(&session, &request, &stop)
        })
        .await;
        match planned {
            Ok(planned) => planned,
            Err(failed) => match failed.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(GraphqlError::unexpected("the engine has stopped")),
            },
        }
    }
}
