//! `northstack schema`: the GraphQL contract as SDL, from the metadata directory and a migrated database.

use std::sync::Arc;

use clap::{Args, Subcommand};

use super::{Context, Exit, output};
use crate::db::Db;
use crate::domain::{Code, Error, Result};
use crate::engine::metadata::RemoteSchema;
use crate::engine::{
    ActionAnswer, ActionCall, Callers, Engine, EngineOptions, GraphqlError, MetadataSource, NoCallers, Pending,
    RemoteCall, RequestContext,
};
use crate::http::remote_schema;

/// Arguments of `northstack schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: SchemaCommand,
}

/// What `northstack schema` can do.
#[derive(Debug, Subcommand)]
pub enum SchemaCommand {
    /// Print what a role sees, as SDL
    Export {
        /// The role
        #[arg(long, default_value = "user")]
        role: String,
    },
}

impl SchemaArgs {
    /// Does what was asked.
    pub async fn run(self, context: &Context) -> Result<Exit> {
        let SchemaCommand::Export { role } = self.command;
        let settings = context.settings()?;
        let db = Db::connect(&settings.database).await?;
        let metadata = MetadataSource::Directory(settings.hasura.metadata_dir);
        let engine = Engine::start(&EngineOptions::new(db.pool().clone(), metadata), Arc::new(OwnRemoteSchema))
            .await
            .map_err(|error| Error::new(Code::InvalidInput, error.to_string()).caused_by(error))?;
        if let Some(first) = engine.state().inconsistencies.first() {
            let message = format!("the metadata does not fit the database: {}: {}", first.name, first.reason);
            return Err(Error::new(Code::InvalidInput, message));
        }
        output::line(engine.sdl(&role).trim_end())?;
        Ok(Exit::Done)
    }
}

/// An outside that knows this program's own remote schema without asking a running service.
struct OwnRemoteSchema;

impl Callers for OwnRemoteSchema {
    fn action<'a>(
        &'a self,
        context: &'a RequestContext,
        call: ActionCall,
    ) -> Pending<'a, Result<ActionAnswer, GraphqlError>> {
        NoCallers.action(context, call)
    }

    fn remote<'a>(
        &'a self,
        context: &'a RequestContext,
        call: RemoteCall,
    ) -> Pending<'a, Result<serde_json::Map<String, serde_json::Value>, GraphqlError>> {
        NoCallers.remote(context, call)
    }

    fn introspect<'a>(&'a self, schema: &'a RemoteSchema) -> Pending<'a, Result<String, String>> {
        match schema.name.as_str() {
            "northstack" => Box::pin(async { Ok(remote_schema::sdl()) }),
            _ => NoCallers.introspect(schema),
        }
    }
}
