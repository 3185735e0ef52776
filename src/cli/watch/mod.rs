//! An operation's steps, live, until it ends or waits for a person.

mod pause;
mod view;
mod words;

use uuid::Uuid;

pub use pause::Pause;
pub use words::{kind, queued};

use super::api::Api;
use super::graphql::{Operation, WatchOperation, watch_operation};
use super::{Exit, Output, output};
use crate::domain::{Error, Result};
use view::View;

/// What to do when the operation waits for a person.
#[derive(Debug, Clone, PartialEq)]
pub enum AtPause {
    /// Say so, and go on: somebody else may let it go on.
    Follow,
    /// What was asked for is done. A pause that was there before does not count.
    End(Option<Pause>),
}

/// Follows an operation to its end and gives the exit code that its outcome deserves.
pub async fn operation(api: &Api, id: Uuid, output: Output) -> Result<Exit> {
    until(api, id, output, "succeeded", &AtPause::Follow, None).await
}

/// The same for an operation about something whose name is known: what is deleted may be gone before it is seen.
pub async fn named(api: &Api, id: Uuid, output: Output, name: String) -> Result<Exit> {
    until(api, id, output, "succeeded", &AtPause::Follow, Some(name)).await
}

/// The same, with a choice of what to do at a pause.
pub async fn until_pause(api: &Api, id: Uuid, output: Output, at_pause: &AtPause) -> Result<Exit> {
    until(api, id, output, "succeeded", at_pause, None).await
}

/// The same for an operation whose end was asked for.
pub async fn cancelled(api: &Api, id: Uuid, output: Output) -> Result<Exit> {
    until(api, id, output, "cancelled", &AtPause::Follow, None).await
}

async fn until(
    api: &Api,
    id: Uuid,
    output: Output,
    wanted: &str,
    at_pause: &AtPause,
    mut name: Option<String>,
) -> Result<Exit> {
    // Whoever asked for the end of an operation does not wait for a person.
    let mut view = View::new(output, *at_pause == AtPause::Follow && wanted != "cancelled");
    let following = api.watch::<WatchOperation, _>(watch_operation::Variables { id }, |data| {
        let row = data.operations_by_pk.ok_or_else(|| Error::not_found("operation"))?;
        let operation = Operation::from(row);
        name = words::name(&operation).or(name.take());
        view.show(&operation)?;
        Ok(ended(&operation, at_pause).then_some(operation))
    });
    let end = tokio::select! {
        end = following => end?,
        interrupted = tokio::signal::ctrl_c() => {
            interrupted.map_err(|source| Error::internal("listening for Ctrl-C", source))?;
            view.finish();
            output::note(output, &format!("\nIt goes on without you. Watch it again: northstack operations watch {id}"));
            return Ok(Exit::Interrupted);
        }
    };
    let waits = matches!(at_pause, AtPause::End(_)) && Pause::of(&end).is_some();
    if waits {
        view.rest(&end);
    }
    view.finish();
    if output == Output::Text {
        output::line(&if waits { words::paused(&end) } else { words::outcome(&end, name.as_deref()) })?;
    }
    Ok(if waits || end.status == wanted { Exit::Done } else { Exit::Failed })
}

fn ended(operation: &Operation, at_pause: &AtPause) -> bool {
    let terminal = matches!(operation.status.as_str(), "succeeded" | "failed" | "cancelled");
    let paused = match (at_pause, Pause::of(operation)) {
        (AtPause::End(before), Some(now)) => before.as_ref() != Some(&now),
        _ => false,
    };
    terminal || paused
}
