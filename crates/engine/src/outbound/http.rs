//! The engine's outside over HTTP.

use serde_json::{Map, Value};

use super::Outbound;
use crate::error::Result;
use crate::metadata::RemoteSchema;
use crate::outbound::caller::{ActionAnswer, ActionCall, Callers, Pending, RemoteCall, RequestContext};
use crate::{actions, remote};

impl Callers for Outbound {
    fn action<'a>(&'a self, context: &'a RequestContext, call: ActionCall) -> Pending<'a, Result<ActionAnswer>> {
        Box::pin(actions::call(self, context, call))
    }

    fn action_stored(&self) {
        self.stored.notify_one();
    }

    fn remote<'a>(&'a self, context: &'a RequestContext, call: RemoteCall) -> Pending<'a, Result<Map<String, Value>>> {
        Box::pin(remote::call(self, context, call))
    }

    fn introspect<'a>(&'a self, schema: &'a RemoteSchema) -> Pending<'a, Result<String, String>> {
        Box::pin(remote::introspect(self, schema))
    }
}
