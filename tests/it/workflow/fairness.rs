//! One team's queue does not keep the others waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use northstack::db::claims::{Claim, claim, next_due};
use northstack::workflow::{Options, Progress};
use uuid::Uuid;

use super::runner::until;
use super::script::{KIND, Stage};

async fn crowd(stage: &Stage, team: Uuid, name: &str, count: usize) {
    for number in 0..count {
        stage.enqueue(team, &format!("{name}{number}"), None, false).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn teams_take_turns_however_long_one_queue_is() {
    let stage = Stage::new(|_| Ok(Progress::done())).await;
    let (large, small) = (stage.team("large").await, stage.team("small").await);
    crowd(&stage, large, "large", 40).await;
    let last = stage.enqueue(small, "small", None, false).await;
    let worker = stage.work(Options { concurrency: 2, ..Options::default() });
    stage.ends(last, "succeeded").await;
    let before = "select count(*) from operations
                  where team_id = $1 and started_at < (select started_at from operations where id = $2)";
    let before: i64 = sqlx::query_scalar(before).bind(large).bind(last).fetch_one(&stage.pool).await.unwrap();
    assert!(before <= 2, "{before} of the large team were claimed before the small one's");
    worker.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_has_no_more_at_work_than_its_limit_and_the_limit_may_change() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let gate = Arc::new(tokio::sync::watch::Sender::new(false));
    let (at_work, highest, closed) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&gate));
    let stage = Stage::asynchronous(move |_| {
        let (at_work, highest, mut gate) = (Arc::clone(&at_work), Arc::clone(&highest), closed.subscribe());
        Box::pin(async move {
            highest.fetch_max(at_work.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            gate.wait_for(|open| *open).await.unwrap();
            at_work.fetch_sub(1, Ordering::SeqCst);
            Ok(Progress::done())
        })
    })
    .await;
    let team = stage.team("one").await;
    let limit = Arc::new(AtomicUsize::new(0));
    let worker = stage.work(Options { concurrency: 10, team_concurrency: Arc::clone(&limit), ..Options::default() });
    for most_at_once in [3, 8] {
        gate.send_replace(false);
        limit.store(most_at_once, Ordering::Relaxed);
        crowd(&stage, team, "some", 12).await;
        until("as many are at work as may be", async || now.load(Ordering::SeqCst) == most_at_once).await;
        let last = stage.enqueue(team, "last", None, false).await;
        gate.send_replace(true);
        stage.ends(last, "succeeded").await;
        until("all have ended", async || open(&stage).await == 0).await;
        assert_eq!(most.load(Ordering::SeqCst), most_at_once);
    }
    worker.stop().await;
}

async fn open(stage: &Stage) -> i64 {
    let open = "select count(*) from operations where status in ('queued', 'running', 'waiting')";
    sqlx::query_scalar(open).fetch_one(&stage.pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_are_shared_evenly_and_stay_quick_behind_a_long_queue() {
    let stage = Stage::new(|_| Ok(Progress::done())).await;
    let mut teams = Vec::new();
    for number in 0..50 {
        teams.push(stage.team(&format!("team-{number}")).await);
    }
    let known = [(KIND.to_owned(), 1)];
    // A queue of ten thousand of the first team, and two of each other; a lane of a thousand blocked ones.
    for (team, count, lane) in std::iter::once((teams[0], 10_000, None))
        .chain(teams[1..].iter().map(|team| (*team, 2, None)))
        .chain([(teams[1], 1_000, Some("long"))])
    {
        sqlx::query(
            "insert into operations (kind, team_id, subject_type, subject_id, correlation_id, lane, lane_turn,
                                     lane_blocked, available_at)
             select $1, $2, 'script', gen_random_uuid(), 'crowd', $4::text, number, $4::text is not null,
                    case when $4::text is null then now() else 'infinity' end
             from generate_series(1, $3) number",
        )
        .bind(KIND)
        .bind(team)
        .bind(count)
        .bind(lane)
        .execute(&stage.pool)
        .await
        .unwrap();
    }
    sqlx::query("analyze operations").execute(&stage.pool).await.unwrap();
    let asked = Claim { holder: "w", lease: Duration::from_secs(60), known: &known, limit: 100, per_team: 8 };
    let claimed = claim(&stage.pool, &asked).await.unwrap();
    assert_eq!(claimed.len(), 100);
    let of_first = claimed.iter().filter(|operation| operation.team_id == teams[0]).count();
    assert_eq!(of_first, 2, "as many as of every other team");
    let claimed = claim(&stage.pool, &asked).await.unwrap();
    assert_eq!(claimed.len(), 6, "up to the limit of the one team that has more");
    assert_eq!(next_due(&stage.pool, &known, 8).await.unwrap().map(|due| due > Duration::ZERO), Some(true));
    assert_eq!(next_due(&stage.pool, &known, 9).await.unwrap(), Some(Duration::ZERO));
    // No claim reads the queue: an index leads to what is due of each team.
    let mut tx = stage.pool.begin().await.unwrap();
    let read =
        "select coalesce(sum(seq_tup_read), 0)::bigint from pg_stat_xact_user_tables where relname = 'operations'";
    claim(&mut *tx, &asked).await.unwrap();
    let rows: i64 = sqlx::query_scalar(read).fetch_one(&mut *tx).await.unwrap();
    assert_eq!(rows, 0, "the table was read from end to end");
}
