//! Functions: those that are fields of the roots, and computed fields of tables.

use super::*;

/// Why a function cannot be a field, if it cannot.
fn untrackable(found: &catalog::Function, configuration: &metadata::FunctionConfiguration) -> Option<String> {
    let mut reasons = Vec::new();
    if found.variadic {
        reasons.push("function with \"VARIADIC\" parameters are not supported".to_owned());
    }
    if found.returns_table.is_none() {
        if found.returns.kind != "c" {
            reasons.push("the function does not return a \"COMPOSITE\" type".to_owned());
        }
        reasons.push("the function does not return a table".to_owned());
    }
    if configuration.exposed_as == Some(ExposedAs::Mutation) && found.volatility != Volatility::Volatile {
        reasons.push(
            "the function was requested to be exposed as a mutation, but is not marked VOLATILE. Maybe the function \
             was given the wrong volatility when it was defined?"
                .to_owned(),
        );
    }
    if let Some(name) = &configuration.session_argument {
        match found.arguments.iter().find(|argument| argument.name.as_ref() == Some(name)) {
            None => reasons.push(format!("given session argument {name:?} not the input argument of the function")),
            Some(argument) if argument.ty.name != "json" => {
                reasons.push(format!("given session argument {name:?} is not of type json"));
            }
            Some(_) => {}
        }
    }
    enums::because(&reasons)
}

impl Resolver<'_> {
    fn arguments(
        &self,
        function: &catalog::Function,
        row: Option<(&Option<String>, &QualifiedName)>,
        session: &Option<String>,
    ) -> Result<Vec<ArgumentInfo>, String> {
        let mut row_taken = false;
        function
            .arguments
            .iter()
            .enumerate()
            .map(|(index, argument)| {
                let is_row = row.is_some_and(|(name, table)| {
                    let named = match name {
                        Some(name) => argument.name.as_ref() == Some(name),
                        None => !row_taken && argument.table.as_ref() == Some(table),
                    };
                    named && argument.table.as_ref() == Some(table)
                });
                row_taken |= is_row;
                let role = if is_row {
                    ArgumentRole::Row
                } else if session.is_some() && argument.name == *session {
                    ArgumentRole::Session
                } else {
                    ArgumentRole::Client
                };
                let name = argument.name.clone().filter(|name| !name.is_empty());
                let field = match &name {
                    Some(name) => names::field(name, self.model.camel_case),
                    None => format!("arg_{}", index + 1),
                };
                if role == ArgumentRole::Client && !is_name(&field) {
                    return Err(format!("the function's argument {}", not_a_name(&field)));
                }
                let ty = ScalarType::of(&argument.ty);
                Ok(ArgumentInfo { field, name, ty, has_default: argument.has_default, role })
            })
            .collect()
    }

    fn single_function(&self, name: &QualifiedName) -> Result<&catalog::Function, String> {
        match self.catalog.functions(name) {
            [function] => Ok(function),
            [] => Err(format!("no such function exists: \"{name}\"")),
            _ => Err(format!("function \"{name}\" is overloaded. Overloaded functions are not supported")),
        }
    }

    pub(super) fn computed_fields(&mut self, id: TableId, table: &metadata::Table) {
        for field in &table.computed_fields {
            match self.computed_field(&table.table, field) {
                Ok(info) => self.model.tables[id].computed.push(info),
                Err(reason) => {
                    let name = format!("computed_field {} in table {} in source default", field.name, table.table);
                    let place = format!("in table \"{}\": in computed field \"{}\"", table.table, field.name);
                    let definition = self.of_table(id, field);
                    self.fault("computed_field", name, format!("Inconsistent object: {place}: {reason}"), definition);
                }
            }
        }
    }

    fn computed_field(&self, table: &QualifiedName, field: &metadata::ComputedField) -> Result<ComputedInfo, String> {
        if !is_name(&field.name) {
            return Err(not_a_name(&field.name));
        }
        let definition = &field.definition;
        let function = self.single_function(&definition.function)?;
        if function.variadic {
            return Err(format!("function \"{}\" with \"VARIADIC\" parameters is not supported", definition.function));
        }
        let row = Some((&definition.table_argument, table));
        let arguments = self.arguments(function, row, &definition.session_argument)?;
        if !arguments.iter().any(|argument| argument.role == ArgumentRole::Row) {
            let function = &definition.function;
            return Err(format!("the function \"{function}\" takes no row of the table \"{table}\""));
        }
        if function.volatility == Volatility::Volatile {
            return Err(format!(
                "the function \"{}\" is volatile; a computed field's must not be",
                definition.function
            ));
        }
        let returns = match (&function.returns_table, function.returns_set) {
            (Some(table), true) => ComputedReturn::Table(
                *self.model.by_name.get(table).ok_or_else(|| format!("the table \"{table}\" is not tracked"))?,
            ),
            (None, false) => ComputedReturn::Scalar(ScalarType::of(&function.returns)),
            _ => return Err("the function must return a base type or a set of a tracked table's rows".to_owned()),
        };
        let description = match &field.comment {
            Some(comment) => comment.clone(),
            None => function
                .comment
                .clone()
                .unwrap_or_else(|| format!("A computed field, executes function \"{}\"", definition.function)),
        };
        Ok(ComputedInfo {
            name: field.name.clone(),
            function: definition.function.clone(),
            arguments,
            returns,
            description: Some(description).filter(|text| !text.is_empty()),
        })
    }

    pub(super) fn function(&mut self, function: &metadata::Function) {
        let resolved = self.function_info(function);
        let resolved = resolved.and_then(|info| self.claim(clashes::of_function(&info)).map(|()| info));
        match resolved {
            Ok(info) => self.model.functions.push(info),
            Err(reason) => {
                let name = format!("function {} in source default", function.function);
                let reason = format!("Inconsistent object: in function \"{}\": {reason}", function.function);
                self.fault("function", name, reason, &function.function);
            }
        }
    }

    fn function_info(&self, function: &metadata::Function) -> Result<FunctionInfo, String> {
        let configuration = &function.configuration;
        let found = self.single_function(&function.function)?;
        if let Some(reason) = untrackable(found, configuration) {
            return Err(format!("the function \"{}\" cannot be tracked {reason}", function.function));
        }
        let table = found.returns_table.as_ref().ok_or("the function does not return rows of a table")?;
        if let Some(FunctionResponse::Table { table: declared }) = &configuration.response
            && declared != table
        {
            return Err(format!("it returns rows of \"{table}\", not of \"{declared}\" as its response says"));
        }
        let table = *self.model.by_name.get(table).ok_or_else(|| format!("the table \"{table}\" is not tracked"))?;
        let volatile = found.volatility == Volatility::Volatile;
        let mutation = match configuration.exposed_as {
            Some(exposed) => exposed == ExposedAs::Mutation,
            None => volatile,
        };
        let base = configuration
            .custom_name
            .clone()
            .unwrap_or_else(|| names::table(&function.function, self.model.camel_case));
        if !is_name(&base) {
            return Err(format!("{}; give it a custom name", not_a_name(&base)));
        }
        let roots = configuration.custom_root_fields.clone().unwrap_or_default();
        // Permissions are inferred for functions that only read; one that may write always names its roles.
        let roles = match (volatile || mutation, function.permissions.is_empty()) {
            (false, true) => None,
            _ => Some(function.permissions.iter().map(|permission| permission.role.clone()).collect()),
        };
        Ok(FunctionInfo {
            name: function.function.clone(),
            root: names::affixed(&roots.function.unwrap_or_else(|| base.clone()), &self.model.root_affixes),
            root_aggregate: names::affixed(
                &roots.function_aggregate.unwrap_or_else(|| names::joined(&base, "aggregate", self.model.camel_case)),
                &self.model.root_affixes,
            ),
            args_type: names::affixed(
                &names::joined_type(&base, "args", self.model.camel_case),
                &self.model.type_affixes,
            ),
            arguments: self.arguments(found, None, &configuration.session_argument)?,
            table,
            returns_set: found.returns_set,
            mutation,
            roles,
            description: function.comment.clone().or_else(|| found.comment.clone()).filter(|text| !text.is_empty()),
        })
    }
}
