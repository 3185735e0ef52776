//! Where a deployment waits for a person.

use serde_json::Value;
use uuid::Uuid;

use crate::cli::graphql::Operation;

/// A pause that lasts until a person promotes or aborts the deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    deployment: Uuid,
    /// The try and the share that a canary is at; nothing for blue and green, which pause once.
    stand: Option<(u64, u64)>,
}

impl Pause {
    /// The pause of a deployment, by its status and by what `deployments` says of it.
    pub fn at(deployment: Uuid, status: &str, progress: &Value) -> Option<Self> {
        let canary = progress.get("canary");
        let number = |name| canary.and_then(|it| it.get(name)).and_then(Value::as_u64).unwrap_or_default();
        let stand = canary.map(|_| (number("round"), number("step")));
        (status == "paused").then_some(Self { deployment, stand })
    }

    /// The pause that an operation's deployment is in, unless it ends by itself.
    pub fn of(operation: &Operation) -> Option<Self> {
        let open = matches!(operation.status.as_str(), "running" | "waiting");
        let deployment = operation.deployment.as_ref().filter(|_| open)?;
        let pause = Self::at(deployment.id, &deployment.status, &deployment.progress)?;
        let step = pause.stand.and_then(|(_, step)| usize::try_from(step).ok());
        let timed = step.and_then(|step| deployment.settings.pointer(&format!("/canary/steps/{step}/pauseSeconds")));
        timed.is_none_or(Value::is_null).then_some(pause)
    }
}
