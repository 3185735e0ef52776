//! Aggregates of one table that differ in their conditions: one scan for all, each under its own `FILTER`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::collect::{Collector, Selected};
use super::context::Context;
use super::roots::Planner;
use super::shape::{Answer, Shape};
use super::{CompiledRoot, Query};
use crate::error::{GraphqlError, Result};
use crate::schema::model::TableId;
use crate::schema::model::boolexp::BoolExp;
use crate::schema::model::types::{FieldKind, ReadRoot, RootField};
use crate::sql::{Expr, From, Select};

/// Most values that one statement may give; PostgreSQL's own bound is 1,664.
const MOST_OUTPUTS: usize = 1_000;

/// A root field that aggregates all rows that fulfil its conditions, and nothing else.
struct Member<'s, 'a> {
    place: usize,
    selected: &'s Selected<'a>,
    conditions: Vec<BoolExp>,
}

/// Has root fields share a statement where one scan answers them all. Every root field was planned before, so nothing
/// is refused here.
pub(super) fn merge<'a>(
    planner: &'a Planner<'a>,
    collector: &'a Collector<'a>,
    selected: &[Selected<'a>],
    roots: &mut [(String, CompiledRoot)],
) -> Result<()> {
    let mut groups: BTreeMap<TableId, Vec<Member<'_, 'a>>> = BTreeMap::new();
    let context = Context::new(planner.model, collector);
    for (place, field) in selected.iter().enumerate() {
        if let Some((table, conditions)) = plain(&context, field)? {
            groups.entry(table).or_default().push(Member { place, selected: field, conditions });
        }
    }
    for (table, members) in groups {
        let Some((first, others)) = members.split_first().filter(|(_, others)| !others.is_empty()) else { continue };
        let common: Vec<BoolExp> = first
            .conditions
            .iter()
            .filter(|condition| others.iter().all(|other| other.conditions.contains(condition)))
            .cloned()
            .collect();
        // One scan is dearer than many where each could find its few rows by an index and together they ask for all.
        let all_are_read = members.iter().any(|member| member.conditions.len() == common.len());
        if common.is_empty() && !all_are_read {
            continue;
        }
        let context = Context::new(planner.model, collector);
        let Some((query, answers)) = shared(context, table, &common, &members)? else { continue };
        for (member, answer) in members.iter().zip(answers) {
            if let Some((_, root)) = roots.get_mut(member.place) {
                *root = CompiledRoot::Shared(first.place, Arc::new(answer));
            }
        }
        if let Some((_, root)) = roots.get_mut(first.place) {
            *root = CompiledRoot::Query(Arc::new(query));
        }
    }
    Ok(())
}

/// The table and conditions of a field that aggregates all rows that fulfil them.
fn plain<'a>(context: &Context<'a>, field: &Selected<'a>) -> Result<Option<(TableId, Vec<BoolExp>)>> {
    let Some(FieldKind::Root(RootField::Read(ReadRoot::SelectAggregate(table)))) = field.field.map(|field| &field.kind)
    else {
        return Ok(None);
    };
    let args = context.args(field, *table)?;
    let nodes =
        context.under(field)?.iter().any(|under| matches!(under.field.map(|f| &f.kind), Some(FieldKind::Nodes)));
    if nodes || args.limit.is_some() || args.offset.is_some() || !args.distinct.is_empty() {
        return Ok(None);
    }
    let mut conditions = Vec::new();
    flatten(args.filter, &mut conditions);
    Ok(Some((*table, conditions)))
}

fn flatten(condition: Option<BoolExp>, into: &mut Vec<BoolExp>) {
    match condition {
        None => {}
        Some(BoolExp::And(parts)) => parts.into_iter().for_each(|part| flatten(Some(part), into)),
        Some(other) => into.push(other),
    }
}

/// One statement for all members, and what each makes of its one row.
fn shared<'a>(
    mut context: Context<'a>,
    table: TableId,
    common: &[BoolExp],
    members: &[Member<'_, 'a>],
) -> Result<Option<(Query, Vec<Answer>)>> {
    let base = context.alias();
    let origin = context.read(table);
    let mut filter = vec![context.condition(&context.rule(table).filter, table, base, base)];
    filter.extend(common.iter().map(|condition| context.condition(condition, table, base, base)).collect::<Vec<_>>());
    let (mut outputs, mut answers) = (Vec::new(), Vec::new());
    for member in members {
        let own = member.conditions.iter().filter(|condition| !common.contains(condition));
        let own: Vec<Expr> = own.map(|condition| context.condition(condition, table, base, base)).collect();
        let own = Expr::all(own);
        let begin = outputs.len();
        let fields = context.under(member.selected)?;
        let shape = context.aggregate_object(table, base, member.selected, &fields, &mut outputs)?;
        for output in outputs.iter_mut().skip(begin) {
            if narrow(output, own.as_ref()) == 0 {
                // It would count the rows of the others as well.
                return Err(member.selected.unexpected("aggregates alone"));
            }
        }
        answers.push(Answer::First(Shape::Object(None, shape)));
    }
    if outputs.len() > MOST_OUTPUTS {
        return Ok(None);
    }
    let select = Select {
        outputs: outputs.into_iter().map(|expr| (expr, None)).collect(),
        from: Some(From { origin, alias: base }),
        filter: Expr::all(filter),
        ..Select::default()
    };
    let first = answers.first().cloned().ok_or_else(|| GraphqlError::unexpected("a statement that no field shares"))?;
    Ok(Some((context.query(select, first), answers)))
}

/// Has the aggregates inside an output count only rows under a condition; gives how many there are.
fn narrow(output: &mut Expr, condition: Option<&Expr>) -> usize {
    match output {
        Expr::Aggregate(.., filter) => {
            *filter = condition.cloned().map(Box::new);
            1
        }
        Expr::Call(_, arguments) => arguments.iter_mut().map(|argument| narrow(argument, condition)).sum(),
        Expr::Cast(inner, _) => narrow(inner, condition),
        _ => 0,
    }
}
