//! The change feed: which tables have changed, from statement triggers that notify and from whoever tells the engine.
//!
//! A notification is a hint: it says that something may have changed, never what. Where the database has no
//! LISTEN/NOTIFY (YugabyteDB), or a table cannot carry the trigger, its readers are polled instead.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgListener;
use sqlx::{AssertSqlSafe, PgPool, Row};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::events::{CHANNEL as EVENTS, quote};
use crate::metadata::QualifiedName;

const TABLES: &str = "northstack_tables";
/// Hints that a slow receiver may lag behind before it is told that everything may have changed.
const BACKLOG: usize = 4096;

/// A hint that something may have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Rows of these tables.
    Tables(Arc<[QualifiedName]>),
    /// An event trigger of this name captured something.
    Event(Arc<str>),
    /// Hints may have been lost.
    Everything,
}

/// Hands hints to whoever listens.
#[derive(Clone)]
pub struct ChangeFeed {
    sender: broadcast::Sender<Change>,
}

impl Default for ChangeFeed {
    fn default() -> Self {
        Self { sender: broadcast::channel(BACKLOG).0 }
    }
}

impl ChangeFeed {
    /// Tells that rows of the tables may have changed.
    pub fn tables_changed(&self, tables: impl IntoIterator<Item = QualifiedName>) {
        let tables: Arc<[QualifiedName]> = tables.into_iter().collect();
        if !tables.is_empty() {
            self.send(Change::Tables(tables));
        }
    }

    /// Passes a hint on; nobody listening is no fault.
    pub fn send(&self, change: Change) {
        let _ = self.sender.send(change);
    }

    /// Listens from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Change> {
        self.sender.subscribe()
    }
}

/// Whether the database has LISTEN/NOTIFY that can be relied on.
///
/// # Errors
/// What the database said.
pub async fn database_notifies(pool: &PgPool) -> sqlx::Result<bool> {
    let version: String = sqlx::query_scalar("select version()").fetch_one(pool).await?;
    Ok(!version.contains("-YB-") && !version.contains("Yugabyte"))
}

/// What the feed knows of a source's relations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// For each relation the tables whose changes change it; a table stands for itself.
    sources: HashMap<QualifiedName, Vec<QualifiedName>>,
    covered: HashSet<QualifiedName>,
}

impl Coverage {
    /// The tables behind `relations`, if the feed covers all of them.
    pub fn of<'r>(&self, relations: impl IntoIterator<Item = &'r QualifiedName>) -> Option<HashSet<QualifiedName>> {
        let mut tables = HashSet::new();
        for relation in relations {
            for table in self.sources.get(relation)? {
                if !self.covered.contains(table) {
                    return None;
                }
                tables.insert(table.clone());
            }
        }
        Some(tables)
    }
}

/// Puts the notifying trigger on the tables behind `relations` where it is missing; gives what is covered now.
///
/// A table that cannot carry the trigger (another owner, a foreign table) is left out and polled.
///
/// # Errors
/// What the database said to a question about its catalogue.
pub async fn install(pool: &PgPool, relations: &[QualifiedName]) -> sqlx::Result<Coverage> {
    sqlx::raw_sql(FUNCTION).execute(pool).await?;
    let (schemas, names): (Vec<&str>, Vec<&str>) =
        relations.iter().map(|relation| (relation.schema.as_str(), relation.name.as_str())).unzip();
    let rows = sqlx::query(BASE_TABLES).bind(&schemas).bind(&names).fetch_all(pool).await?;
    let mut coverage = Coverage::default();
    for row in &rows {
        let name = |at| -> sqlx::Result<QualifiedName> {
            Ok(QualifiedName::new(row.try_get::<String, _>(at)?, row.try_get::<String, _>(at + 1)?))
        };
        let (relation, base) = (name(0)?, name(2)?);
        coverage.sources.entry(relation).or_default().push(base.clone());
        if row.try_get(5)? {
            coverage.covered.insert(base);
        } else if row.try_get(4)? && !coverage.covered.contains(&base) {
            let sql = format!(
                "create trigger northstack_changed after insert or update or delete or truncate on {}.{} \
                 for each statement execute function hdb_catalog.northstack_table_changed()",
                quote(&base.schema),
                quote(&base.name)
            );
            match sqlx::raw_sql(AssertSqlSafe(sql)).execute(pool).await {
                Ok(_) => {
                    coverage.covered.insert(base);
                }
                // Another instance was faster.
                Err(error) if error.as_database_error().is_some_and(|e| e.code().as_deref() == Some("42710")) => {
                    coverage.covered.insert(base);
                }
                Err(error) => tracing::warn!(table = %base, error = %error, "table not covered by the change feed"),
            }
        }
    }
    Ok(coverage)
}

/// Turns the database's notifications into hints until stopped. `ready` is told once it listens.
///
/// After a lost connection it listens again and says that everything may have changed.
pub async fn listen(pool: PgPool, feed: ChangeFeed, stop: CancellationToken, ready: tokio::sync::oneshot::Sender<()>) {
    let mut ready = Some(ready);
    while !stop.is_cancelled() {
        let listening = async {
            let mut listener = PgListener::connect_with(&pool).await?;
            listener.listen_all([TABLES, EVENTS]).await?;
            Ok::<_, sqlx::Error>(listener)
        };
        let failed = match listening.await {
            Ok(mut listener) => {
                if let Some(ready) = ready.take() {
                    let _ = ready.send(());
                } else {
                    feed.send(Change::Everything);
                }
                tokio::select! {
                    () = stop.cancelled() => return,
                    failed = forward(&mut listener, &feed) => failed,
                }
            }
            Err(error) => Some(error),
        };
        if let Some(error) = failed {
            tracing::warn!(error = %error, "change feed interrupted");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
        }
    }
}

async fn forward(listener: &mut PgListener, feed: &ChangeFeed) -> Option<sqlx::Error> {
    loop {
        match listener.try_recv().await {
            Ok(Some(notification)) if notification.channel() == TABLES => {
                match serde_json::from_str::<(String, String)>(notification.payload()) {
                    Ok((schema, name)) => feed.tables_changed([QualifiedName::new(schema, name)]),
                    Err(_) => feed.send(Change::Everything),
                }
            }
            Ok(Some(notification)) => feed.send(Change::Event(notification.payload().into())),
            Ok(None) => return None,
            Err(error) => return Some(error),
        }
    }
}

const FUNCTION: &str = r#"
create schema if not exists hdb_catalog;
create or replace function hdb_catalog.northstack_table_changed() returns trigger language plpgsql as $$
begin
    perform pg_notify('northstack_tables', json_build_array(TG_TABLE_SCHEMA, TG_TABLE_NAME)::text);
    return null;
end;
$$;
"#;

/// For each relation the tables it reads, through views of any depth: whether it can carry the trigger, and does.
const BASE_TABLES: &str = r#"
with recursive wanted as (
    select c.oid from unnest($1::text[], $2::text[]) w(schema, name)
    join pg_namespace n on n.nspname = w.schema
    join pg_class c on c.relnamespace = n.oid and c.relname = w.name
), reads(root, oid) as (
    select oid, oid from wanted
    union
    select reads.root, d.refobjid
    from reads
    join pg_class v on v.oid = reads.oid and v.relkind = 'v'
    join pg_rewrite r on r.ev_class = v.oid
    join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
        and d.refclassid = 'pg_class'::regclass and d.refobjid <> v.oid
)
select rn.nspname::text, rc.relname::text, bn.nspname::text, bc.relname::text,
    bc.relkind in ('r', 'p') and bn.nspname not in ('pg_catalog', 'information_schema'),
    exists (select 1 from pg_trigger t where t.tgrelid = bc.oid and t.tgname = 'northstack_changed' and t.tgenabled <> 'D')
from reads
join pg_class rc on rc.oid = reads.root join pg_namespace rn on rn.oid = rc.relnamespace
join pg_class bc on bc.oid = reads.oid join pg_namespace bn on bn.oid = bc.relnamespace
where bc.relkind in ('r', 'p', 'm', 'f')
"#;
