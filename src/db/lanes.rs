//! Lanes: of the operations of one lane, one at a time is worked on, in the order in which they came.
//!
//! The first open operation of a lane is its front; those behind it are blocked, and due at infinity. A unique index
//! holds that there is one front. Whoever adds to a lane or ends its front holds the lane's row meanwhile, so that
//! turns are given in the order of the commits and no front is missed.

use sqlx::PgConnection;
use uuid::Uuid;

use super::error::while_doing;
use super::operations::{Operation, operations};
use crate::domain::Result;

/// Gives the next turn in a lane, and holds the lane until the transaction ends.
pub async fn take_turn(db: &mut PgConnection, lane: &str) -> Result<i64> {
    sqlx::query_scalar!(
        "insert into operation_lanes as lanes (lane, turn) values ($1, 1)
         on conflict (lane) do update set turn = lanes.turn + 1
         returning turn",
        lane
    )
    .fetch_one(db)
    .await
    .map_err(while_doing("take a turn in a lane"))
}

/// Makes the next blocked operation of a lane its front, if it has none. Holds the lane until the transaction ends.
pub async fn pass_on(db: &mut PgConnection, lane: &str) -> Result<()> {
    take_turn(&mut *db, lane).await?;
    sqlx::query!(
        "update operations set
           lane_blocked = false,
           available_at = case when lease_holder is null then now() else available_at end
         where id = (select id from open_operations where lane = $1 and lane_blocked order by lane_turn limit 1)
           and not exists (select 1 from open_operations where lane = $1 and not lane_blocked)",
        lane
    )
    .execute(db)
    .await
    .map_err(while_doing("pass a lane on"))
    .map(drop)
}

/// The operations of some kinds in a lane that nobody has begun, oldest first, locked until the transaction ends.
pub async fn lock_unbegun(db: &mut PgConnection, lane: &str, kinds: &[String], except: Uuid) -> Result<Vec<Operation>> {
    operations!(
        "from operations
         where lane = $1 and kind = any($2) and id <> $3 and status = 'queued' and started_at is null
         order by lane_turn for update",
        lane,
        kinds,
        except
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("lock the queued operations of a lane"))
}

/// Ends an operation that nobody has begun, because a newer one takes its place.
pub async fn supersede(db: &mut PgConnection, id: Uuid, by: Uuid, reason: &str) -> Result<()> {
    sqlx::query!(
        "update operations set
           status = 'cancelled', superseded_by = $2, error_message = $3,
           cancel_requested_at = coalesce(cancel_requested_at, now()), finished_at = now(), generation = generation + 1
         where id = $1",
        id,
        by,
        reason
    )
    .execute(db)
    .await
    .map_err(while_doing("supersede an operation"))
    .map(drop)
}

/// Makes fronts in lanes that have blocked operations and none at work. There are none but after a fault; answers how
/// many there were.
pub async fn repair(db: &mut PgConnection) -> Result<u64> {
    let lanes = sqlx::query_scalar!(
        "select distinct b.lane as \"lane!\" from open_operations b
         where b.lane_blocked
           and not exists (select 1 from open_operations f where f.lane = b.lane and not f.lane_blocked)"
    )
    .fetch_all(&mut *db)
    .await
    .map_err(while_doing("look for lanes without a front"))?;
    let mut repaired = 0;
    for lane in lanes {
        pass_on(&mut *db, &lane).await?;
        repaired += 1;
    }
    Ok(repaired)
}
