//! Permissions, proved: random schemas, rows, permissions, queries and mutations, whose answers are compared with those
//! of a small evaluator over the same rows. A failure says its seed; `NORTHSTACK_PERMISSION_SEED=<seed>` runs that alone,
//! and `NORTHSTACK_PERMISSION_SEED=fresh` one that nobody has seen before.

mod ask;
mod expression;
mod generate;
mod known;
mod model;
mod mutate;
mod probes;
mod query;
mod reference;

use northstack::engine::{Engine, Request, Session};
use serde_json::{Value, json};

use self::ask::Asker;
use self::expression::{Exp, TRUE};
use self::generate::Chance;
use self::model::{LOOSE, Model, ROLES, TENANTS};
use self::mutate::{mutation, normal};
use self::query::Root;
use self::reference::{Reference, Viewer};

/// Seeds of every run.
const SEEDS: std::ops::Range<u64> = 1..9;
/// Queries of each role and tenant of a seed.
const QUERIES: usize = 4;
/// Mutations of each role and tenant of a seed.
const MUTATIONS: usize = 2;

/// The seeds of this run: the one that is asked for, or the fixed ones, so that equal trees are judged equally.
fn seeds() -> Vec<u64> {
    match std::env::var("NORTHSTACK_PERMISSION_SEED").ok().as_deref() {
        None | Some("") => SEEDS.collect(),
        Some("fresh") => vec![rand::random()],
        Some(seed) => vec![seed.parse().expect("NORTHSTACK_PERMISSION_SEED is a number or `fresh`")],
    }
}

/// A seed's rows with an engine over them.
struct World {
    seed: u64,
    chance: Chance,
    model: Model,
    engine: Engine,
}

impl World {
    async fn new(seed: u64) -> Self {
        Self::broken(seed, |_| {}).await
    }

    /// A world whose engine has other permissions than the evaluator.
    async fn broken(seed: u64, harm: impl FnOnce(&mut Model)) -> Self {
        let mut chance = Chance::new(seed);
        let model = chance.model();
        let mut harmed = model.clone();
        harm(&mut harmed);
        let engine = super::engine(&model.setup(), &harmed.metadata()).await;
        let faults: Vec<String> =
            engine.state().inconsistencies.iter().map(|fault| format!("{}: {}", fault.name, fault.reason)).collect();
        assert!(faults.is_empty(), "seed {seed}: {faults:?}");
        Self { seed, chance, model, engine }
    }

    async fn ask(&self, session: &Session, (query, variables): (String, Value)) -> Value {
        super::ask(&self.engine, session, &Request::new(query).with_variables(variables)).await
    }

    /// Asks one random query and compares; of several root fields that differ the first one is told.
    async fn query(&mut self, viewer: &Viewer) -> Result<(), String> {
        let roots = Asker { model: &self.model, role: viewer.role }.query(&mut self.chance);
        let Err(fault) = self.queried(viewer, &roots).await else { return Ok(()) };
        for root in &roots {
            self.queried(viewer, std::slice::from_ref(root)).await?;
        }
        Err(fault)
    }

    async fn queried(&self, viewer: &Viewer, roots: &[Root]) -> Result<(), String> {
        let document = query::document(&self.model, roots);
        let got = self.ask(&viewer.session(), document.clone()).await;
        let expected = Reference { model: &self.model, viewer }.answer(roots);
        self.compare(viewer, &document, &expected, &got)
    }

    /// Does one random mutation and compares.
    async fn mutate(&mut self, viewer: &Viewer, next: i64) -> Result<(), String> {
        let mutation = mutation(&mut self.chance, &self.model, viewer, next);
        let document = mutation.document(&self.model);
        let got = normal(self.ask(&viewer.session(), document.clone()).await);
        let expected = mutation.apply(&mut self.model, viewer);
        self.compare(viewer, &document, &expected, &got)
    }

    fn compare(
        &self,
        viewer: &Viewer,
        (query, variables): &(String, Value),
        expected: &Value,
        got: &Value,
    ) -> Result<(), String> {
        let about = || {
            let (seed, at) = (self.seed, difference(expected, got, String::new()));
            format!("seed {seed}, {viewer:?}, at {at}\n{query}\n{variables}\nexpected {expected}\ngot      {got}")
        };
        // A sign of the other tenant is found without the evaluator's help.
        if viewer.role != LOOSE && got.to_string().contains(TENANTS[1 - viewer.tenant]) {
            return Err(format!("the other tenant's row\n{}", about()));
        }
        // As text, so that the order of keys counts too.
        let (wanted, text) = (expected.to_string(), got.to_string());
        match wanted == text {
            true => Ok(()),
            false => Err(format!("another answer\n{}", about())),
        }
    }

    /// The rows as the database has them are those that the mutations left.
    async fn rows_agree(&self) {
        for table in &self.model.tables {
            let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
            let query = format!("{{ rows: {}(order_by: {{id: asc}}) {{ {} }} }}", table.name, columns.join(" "));
            let got = self.ask(&Session::admin(), (query, json!({}))).await;
            let mut rows: Vec<Value> = table.rows.iter().map(|row| table.object(row)).collect();
            rows.sort_by_key(|row| row["id"].as_i64());
            assert_eq!(got, json!({"data": {"rows": rows}}), "seed {}", self.seed);
        }
    }
}

/// Where two answers first differ.
fn difference(expected: &Value, got: &Value, path: String) -> String {
    let inner = match (expected, got) {
        (Value::Object(expected), Value::Object(got)) if expected.keys().eq(got.keys()) => expected
            .iter()
            .find(|(key, value)| got[*key] != **value)
            .map(|(key, value)| (key.clone(), value, &got[key])),
        (Value::Array(expected), Value::Array(got)) if expected.len() == got.len() => {
            let mut pairs = expected.iter().zip(got).enumerate();
            pairs.find(|(_, (expected, got))| expected != got).map(|(index, (a, b))| (index.to_string(), a, b))
        }
        _ => None,
    };
    match inner {
        Some((key, expected, got)) => difference(expected, got, format!("{path}/{key}")),
        None => path,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn random_queries_and_mutations_are_answered_as_the_evaluator_does() {
    let (mut unchanged, mut changed, mut faults) = (0, 0, Vec::new());
    let seeds = seeds();
    for &seed in &seeds {
        let mut world = World::new(seed).await;
        let mut next = 100;
        // The role that writes texts of either tenant comes last.
        for (role, tenant) in (0..ROLES.len()).flat_map(|role| [(role, 0), (role, 1)]) {
            for _ in 0..QUERIES {
                let viewer = world.chance.viewer(role, tenant);
                faults.extend(world.query(&viewer).await.err());
            }
            for _ in 0..MUTATIONS {
                next += 10;
                let viewer = world.chance.viewer(role, tenant);
                let before = world.model.rows();
                faults.extend(world.mutate(&viewer, next).await.err());
                if before == world.model.rows() { unchanged += 1 } else { changed += 1 }
            }
        }
        world.rows_agree().await;
    }
    assert!(faults.is_empty(), "{} faults, the first of them: {}", faults.len(), faults[0]);
    // One seed alone may have mutations of one sort.
    assert!(
        seeds.len() == 1 || (unchanged > 0 && changed > 0),
        "{unchanged} mutations changed nothing, {changed} something"
    );
}

/// Permissions that are broken in the engine alone, each of which the comparison must find.
#[tokio::test(flavor = "multi_thread")]
async fn a_permission_that_does_less_is_found() {
    type Harm = fn(&mut model::Permission);
    let harms: [(&str, Harm); 4] = [
        ("the filter is gone", |permission| permission.filter = TRUE),
        ("the filter is turned round", |permission| {
            permission.filter = Exp::Not(Box::new(permission.filter.clone()));
        }),
        ("there is one row too few", |permission| permission.limit = permission.limit.map(|limit| limit - 1)),
        ("nothing is left of the first condition", |permission| {
            if let Exp::And(parts) = &mut permission.filter {
                parts.splice(0..parts.len().min(1), []);
            }
        }),
    ];
    for (name, harm) in harms {
        let mut found = false;
        for seed in SEEDS {
            let harm = |model: &mut Model| model.permissions.iter_mut().flatten().flatten().for_each(harm);
            let mut world = World::broken(seed, harm).await;
            for (role, tenant) in [(0, 0), (0, 1), (1, 0), (1, 1), (0, 0), (0, 1)] {
                let viewer = world.chance.viewer(role, tenant);
                found = found || world.query(&viewer).await.is_err();
            }
            if found {
                break;
            }
        }
        assert!(found, "{name}: no comparison failed");
    }
}
