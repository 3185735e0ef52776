//! JetStream: streams, envelope, publish, durable consumers, and the bridge into `platform_events`.
