//! Failpoints: where a test kills the worker, lets a step fail or repeats it. Inert unless a test or `dev` arms them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use strum::IntoEnumIterator;
use tokio::sync::Notify;

use super::flow::{Flow, Registry};
use crate::domain::{Error, Result};

/// The variable that names one failpoint at which the process aborts: `<flow>.<step>.<moment>`.
pub const VARIABLE: &str = "NORTHSTACK_FAILPOINT";

/// A moment in a step's life.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, strum::EnumIter, strum::IntoStaticStr, strum::EnumString, strum::Display,
)]
#[strum(serialize_all = "snake_case")]
pub enum Moment {
    /// The journal says that the step runs; nothing was done yet.
    Before,
    /// The effect is there; the journal does not know.
    AfterEffect,
    /// The journal has the result; the next step has not begun.
    AfterRecord,
}

/// A moment of a named step of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Point<'a> {
    /// The flow's kind.
    pub flow: &'a str,
    /// The step's name.
    pub step: &'a str,
    pub moment: Moment,
    /// Whether the step is being undone.
    pub undo: bool,
}

impl fmt::Display for Point<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}{}", self.flow, self.step, if self.undo { "undo_" } else { "" }, self.moment)
    }
}

/// What happens at a point.
#[derive(Debug, Default)]
pub enum Injected {
    /// Nothing.
    #[default]
    Nothing,
    /// The worker is gone, as after `kill -9`: no further write, no release of the lease.
    Kill,
    Abort,
    /// The step ends with this error instead of doing its work (at [`Moment::Before`]).
    Fail(Error),
    /// The step's work is done once more (at [`Moment::AfterEffect`]).
    Repeat,
    /// The worker stands still until told to go on, as after `kill -STOP`.
    Hold(Arc<Notify>),
}

type Script = dyn Fn(Point<'_>) -> Injected + Send + Sync;

/// The faults that a runner is given.
#[derive(Clone, Default)]
pub struct Faults(Option<Arc<Script>>);

impl Faults {
    /// No faults.
    pub fn none() -> Self {
        Self(None)
    }

    /// Faults by a script, for tests.
    pub fn script(script: impl Fn(Point<'_>) -> Injected + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(script)))
    }

    /// Aborts the process at one point, written `<flow>.<step>.<before|after_effect|after_record>`, with `undo_` before
    /// the moment to mean the step's undo.
    pub fn abort_at(text: &str) -> Result<Self> {
        let wrong =
            || Error::invalid(VARIABLE, "a failpoint is `<flow>.<step>.<before|after_effect|after_record>`".to_owned());
        let (step, moment) = text.rsplit_once('.').ok_or_else(wrong)?;
        Moment::from_str(moment.strip_prefix("undo_").unwrap_or(moment)).map_err(|_| wrong())?;
        if !step.contains('.') {
            return Err(wrong());
        }
        let text = text.to_owned();
        Ok(Self::script(move |point| if point.to_string() == text { Injected::Abort } else { Injected::Nothing }))
    }

    /// The faults that the environment asks for of a runner of these flows. Only a development or test process may
    /// call this.
    ///
    /// # Errors
    /// `invalid-input` when the variable names no point of them.
    pub fn from_environment(flows: &Registry) -> Result<Self> {
        let Some(text) = wanted() else { return Ok(Self::none()) };
        let faults = Self::abort_at(&text)?;
        if points(flows).contains(&text) {
            return Ok(faults);
        }
        let message = format!("{text:?} is no failpoint; `northstack admin failpoints` lists them");
        Err(Error::invalid(VARIABLE, message))
    }

    /// No faults, in a process that serves people.
    ///
    /// # Errors
    /// `invalid-input` when the environment asks for some.
    pub fn refused() -> Result<Self> {
        match wanted() {
            None => Ok(Self::none()),
            Some(_) => Err(Error::invalid(
                VARIABLE,
                format!("{VARIABLE} makes the process abort, which is for `northstack dev` alone; unset it"),
            )),
        }
    }

    pub(super) fn at(&self, point: Point<'_>) -> Injected {
        match &self.0 {
            None => Injected::Nothing,
            Some(script) => match script(point) {
                Injected::Abort => {
                    tracing::error!(failpoint = %point, "failpoint.abort");
                    std::process::abort()
                }
                other => other,
            },
        }
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Faults(armed)" } else { "Faults(none)" })
    }
}

fn wanted() -> Option<String> {
    std::env::var(VARIABLE).ok().filter(|text| !text.is_empty())
}

/// Every point of the newest version of each flow at which [`VARIABLE`] can abort a process, in the order of the steps.
pub fn points(flows: &Registry) -> Vec<String> {
    flows.newest_of_each().into_iter().flat_map(|flow| points_of(flow)).collect()
}

fn points_of(flow: &Flow) -> Vec<String> {
    let of = |step: &'static str, undo: bool| {
        Moment::iter().map(move |moment| Point { flow: flow.kind, step, moment, undo }.to_string())
    };
    let forward = flow.steps.iter().flat_map(|step| of(step.name, false));
    let undone = flow.steps.iter().rev().filter(|step| step.undo.is_some()).flat_map(|step| of(step.name, true));
    forward.chain(undone).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::flow::{Progress, Step};

    #[test]
    fn the_points_are_each_moment_of_each_step_and_of_each_undo() {
        let nothing = Arc::new(());
        let step = |name| Step::new(name, name, &nothing, |_, _| async { Ok(Progress::done()) });
        let steps = vec![step("one"), step("two").undo(&nothing, |_, _| async { Ok(Progress::done()) })];
        let flows = Registry::new([Flow::new("toy", 1, vec![step("old")]), Flow::new("toy", 2, steps)]);
        assert_eq!(
            points(&flows),
            [
                "toy.one.before",
                "toy.one.after_effect",
                "toy.one.after_record",
                "toy.two.before",
                "toy.two.after_effect",
                "toy.two.after_record",
                "toy.two.undo_before",
                "toy.two.undo_after_effect",
                "toy.two.undo_after_record",
            ]
        );
    }

    #[test]
    fn a_failpoint_names_flow_step_and_moment() {
        for right in ["store.create.namespace.before", "store.create.namespace.undo_after_effect"] {
            Faults::abort_at(right).expect(right);
        }
        for wrong in ["", "namespace", "namespace.before", "store.create.namespace.later"] {
            Faults::abort_at(wrong).expect_err(wrong);
        }
    }
}
