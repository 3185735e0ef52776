//! Every disturbance of every step and every undo of the flows of applications ends as an undisturbed run does; the
//! outcomes are in `docs/crash-matrix.md`.

use northstack::workflow::flows::application::delete::DELETE as REMOVE;
use northstack::workflow::flows::application::drift::heal::HEAL;
use northstack::workflow::flows::application::preview::{CREATE, DELETE};
use northstack::workflow::flows::application::sweep::SWEEP;
use northstack::workflow::flows::application::{BLUE_GREEN, CANARY, RESTART, ROLLBACK, ROLLING, SCALE, START, STOP};
use northstack::workflow::testing::Bench;

use super::bench::Town;
use crate::support::matrix::{complete, hold};

/// Worlds at once: each run waits for its cluster and its database most of the time.
const WORLDS: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn every_disturbance_ends_the_same_and_the_sections_are_generated_from_it() {
    let mut worlds = futures::future::join_all((0..WORLDS).map(|_| Town::new(ROLLING))).await;
    let deployments = [ROLLING, CANARY, BLUE_GREEN, ROLLBACK];
    let others = [SCALE, RESTART, STOP, START, REMOVE, HEAL, SWEEP, CREATE, DELETE];
    for kind in deployments.into_iter().chain(others) {
        for world in &mut worlds {
            world.kind = kind;
        }
        hold(kind, &worlds).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flow_has_its_section() {
    complete(&Town::new(ROLLING).await.registry());
}
