//! The trace that captured events carry to their webhooks.

/// A new trace, as the setting `hasura.tracecontext` holds it for the transaction that changes rows. Each change
/// begins one, and is sampled, as in Hasura.
pub fn trace_context() -> String {
    let (trace, span): (u128, u64) = (rand::random(), rand::random());
    format!(r#"{{"trace_id":"{trace:032x}","span_id":"{span:016x}","sampling_state":"1"}}"#)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    #[test]
    fn each_is_another() {
        let read = || serde_json::from_str::<Value>(&super::trace_context()).unwrap();
        let (one, other) = (read(), read());
        assert_ne!(one["trace_id"], other["trace_id"]);
        let length = |key: &str| one[key].as_str().unwrap().len();
        assert_eq!((length("trace_id"), length("span_id"), &one["sampling_state"]), (32, 16, &"1".into()));
    }
}
