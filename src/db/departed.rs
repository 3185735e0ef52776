//! Deleted applications whose objects may still be in a cluster: for the reconciler that removes them.

use sqlx::{PgConnection, PgExecutor};
use uuid::Uuid;

use super::error::while_doing;
use crate::domain::Result;

/// A deleted application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Departed {
    pub id: Uuid,
    /// The team of its project.
    pub team_id: Uuid,
}

/// Of applications, those that are deleted, or whose project is, and on which nothing is being done.
pub async fn of(db: impl PgExecutor<'_>, ids: &[Uuid]) -> Result<Vec<Departed>> {
    sqlx::query_as!(
        Departed,
        "select a.id, p.team_id from applications a join projects p on p.id = a.project_id
         where a.id = any($1) and (a.deleted_at is not null or p.deleted_at is not null)
           and not exists (select 1 from open_operations o
                           where o.subject_type = 'application' and o.subject_id = a.id)
         order by a.id",
        ids
    )
    .fetch_all(db)
    .await
    .map_err(while_doing("find deleted applications"))
}

/// Locks an application and says whether it is still one of those. While the transaction lasts, nothing can be begun.
pub async fn hold(db: &mut PgConnection, id: Uuid) -> Result<bool> {
    sqlx::query_scalar!("select id from applications where id = $1 for update", id)
        .fetch_optional(&mut *db)
        .await
        .map_err(while_doing("lock a deleted application"))?;
    Ok(!of(&mut *db, &[id]).await?.is_empty())
}
