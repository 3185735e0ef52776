//! Random queries of a role.

use super::expression::{Exp, TRUE};
use super::generate::Chance;
use super::model::{ID, Kind, Model};
use super::query::{Aggregate, Args, Field, Root, Target, What};

const DIRECTIONS: [&str; 6] =
    ["asc", "desc", "asc_nulls_first", "asc_nulls_last", "desc_nulls_first", "desc_nulls_last"];

/// What a role may ask about.
#[derive(Clone, Copy)]
pub struct Asker<'m> {
    pub model: &'m Model,
    pub role: usize,
}

impl Asker<'_> {
    /// A query of a few root fields.
    pub fn query(&self, chance: &mut Chance) -> Vec<Root> {
        let tables: Vec<usize> =
            (0..self.model.tables.len()).filter(|&table| self.model.permission(self.role, table).is_some()).collect();
        (0..chance.number(1..4))
            .map(|_| {
                let table = chance.one(&tables);
                self.root(chance, table)
            })
            .collect()
    }

    fn root(&self, chance: &mut Chance, table: usize) -> Root {
        match chance.number(0..6) {
            0 => Root::ByKey(table, chance.number(1..14), self.fields(chance, table, 2)),
            1 | 2 if self.aggregates(table) => {
                let args = self.args(chance, table);
                Root::Aggregate(table, args, self.aggregate(chance, table, 2))
            }
            _ => {
                let args = self.args(chance, table);
                Root::List(table, args, self.fields(chance, table, 2))
            }
        }
    }

    fn aggregates(&self, table: usize) -> bool {
        self.model.permission(self.role, table).is_some_and(|permission| permission.aggregations)
    }

    fn columns(&self, table: usize, fits: impl Fn(Kind) -> bool) -> Vec<usize> {
        let columns = &self.model.tables[table].columns;
        self.model.visible(self.role, table).into_iter().filter(|&place| fits(columns[place].kind)).collect()
    }

    /// Fields of a row.
    pub fn fields(&self, chance: &mut Chance, table: usize, depth: u32) -> Vec<Field> {
        let mut fields = Vec::new();
        for column in chance.some(&self.columns(table, |_| true)) {
            fields.push(What::Column(column));
        }
        if chance.percent(15) {
            fields.push(What::Typename);
        }
        if depth > 0 {
            for place in self.model.reachable(self.role, table) {
                let relationship = &self.model.tables[table].relationships[place];
                let other = relationship.table;
                if chance.percent(40) {
                    fields.push(match relationship.array {
                        true => What::Array(place, self.args(chance, other), self.fields(chance, other, depth - 1)),
                        false => What::Object(place, self.fields(chance, other, depth - 1)),
                    });
                }
                if relationship.array && self.aggregates(other) && chance.percent(30) {
                    let args = self.args(chance, other);
                    fields.push(What::Aggregate(place, args, self.aggregate(chance, other, depth - 1)));
                }
            }
        }
        let named = fields.into_iter().enumerate();
        named.map(|(index, what)| Field { key: chance.percent(10).then(|| format!("x{index}")), what }).collect()
    }

    fn aggregate(&self, chance: &mut Chance, table: usize, depth: u32) -> Aggregate {
        let mut counts = vec![(Vec::new(), false)];
        if chance.percent(50) {
            counts.push((chance.some(&self.columns(table, |kind| kind != Kind::Json)), chance.percent(50)));
        }
        let mut functions = Vec::new();
        for (function, kinds) in
            [("sum", &[Kind::Int][..]), ("max", &[Kind::Int, Kind::Text]), ("min", &[Kind::Int, Kind::Text])]
        {
            if chance.percent(60) {
                functions.push((function, chance.some(&self.columns(table, |kind| kinds.contains(&kind)))));
            }
        }
        let nodes = chance.percent(40).then(|| self.fields(chance, table, depth.saturating_sub(1)));
        Aggregate { counts, functions, nodes }
    }

    /// Arguments of a list. The order is a total one.
    pub fn args(&self, chance: &mut Chance, table: usize) -> Args {
        let mut order = Vec::new();
        let sortable = self.columns(table, |kind| kind != Kind::Json);
        let distinct = chance.percent(15).then(|| chance.one(&sortable));
        order.extend(distinct.map(|column| (Target::Column(column), chance.one(&DIRECTIONS))));
        for _ in 0..chance.number(0..3) {
            order.push((self.target(chance, table, 2), chance.one(&DIRECTIONS)));
        }
        order.push((Target::Column(ID), chance.one(&["asc", "desc"])));
        Args {
            filter: chance.percent(60).then(|| self.filter(chance, table, 3)),
            variable: chance.percent(50),
            order,
            distinct,
            limit: chance.percent(35).then(|| chance.number(0..6) as u64),
            offset: chance.percent(25).then(|| chance.number(0..4) as u64),
        }
    }

    fn target(&self, chance: &mut Chance, table: usize, depth: u32) -> Target {
        let places = self.model.reachable(self.role, table);
        if depth > 0 && !places.is_empty() && chance.percent(50) {
            let place = chance.one(&places);
            let relationship = &self.model.tables[table].relationships[place];
            let other = relationship.table;
            if !relationship.array {
                return Target::Related(place, Box::new(self.target(chance, other, depth - 1)));
            }
            // Hasura orders by aggregates of what is seen also where it does not offer to select them.
            let columns = self.columns(other, |kind| matches!(kind, Kind::Int | Kind::Text));
            return match chance.percent(50) {
                true => Target::Count(place),
                false => Target::Extreme(place, chance.one(&["max", "min"]), chance.one(&columns)),
            };
        }
        Target::Column(chance.one(&self.columns(table, |kind| kind != Kind::Json)))
    }

    /// A client's filter.
    pub fn filter(&self, chance: &mut Chance, table: usize, depth: u32) -> Exp {
        let places = self.model.reachable(self.role, table);
        if depth > 0 {
            match chance.number(0..8) {
                0 => return Exp::And((0..2).map(|_| self.filter(chance, table, depth - 1)).collect()),
                1 => {
                    let parts = chance.number(0..3);
                    return Exp::Or((0..parts).map(|_| self.filter(chance, table, depth - 1)).collect());
                }
                2 => return Exp::Not(Box::new(self.filter(chance, table, depth - 1))),
                3..=5 if !places.is_empty() => {
                    let place = chance.one(&places);
                    let relationship = &self.model.tables[table].relationships[place];
                    let other = relationship.table;
                    let inner = if chance.percent(30) { TRUE } else { self.filter(chance, other, depth - 1) };
                    if relationship.array && self.aggregates(other) && chance.percent(40) {
                        return Exp::AtLeast(place, Box::new(inner), chance.number(0..4));
                    }
                    return Exp::Related(place, Box::new(inner));
                }
                _ => {}
            }
        }
        chance.comparison(self.model, table, Some(&self.columns(table, |_| true)))
    }
}
