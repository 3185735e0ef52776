//! Commands in containers, over the wire.

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, AttachParams, PostParams};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::support::{cluster, eventually};

async fn pod(api: &Api<Pod>) {
    let pod: Pod = serde_json::from_value(json!({
        "metadata": {"name": "sh"},
        "spec": {"containers": [{"name": "m", "image": "registry.local/busybox:1"}]},
    }))
    .unwrap();
    api.create(&PostParams::default(), &pod).await.unwrap();
    eventually("a running pod", || async {
        let phase = api.get("sh").await.unwrap().status.unwrap().phase;
        (phase.as_deref() == Some("Running")).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_and_exit_codes_come_apart() {
    let (simulator, client) = cluster().await;
    let api: Api<Pod> = Api::namespaced(client, "default");
    pod(&api).await;
    let params = AttachParams::default().stdin(false).stdout(true).stderr(true);
    let mut attached = api.exec("sh", ["sh", "-c", "echo out; echo err >&2; exit 3"], &params).await.unwrap();
    let (mut out, mut err) = (String::new(), String::new());
    attached.stdout().unwrap().read_to_string(&mut out).await.unwrap();
    attached.stderr().unwrap().read_to_string(&mut err).await.unwrap();
    let status = attached.take_status().unwrap().await.unwrap();
    assert_eq!((out.as_str(), err.as_str()), ("out\n", "err\n"));
    assert_eq!(status.reason.as_deref(), Some("NonZeroExitCode"));
    assert_eq!(status.details.unwrap().causes.unwrap()[0].message.as_deref(), Some("3"));

    let mut attached = api.exec("sh", ["nosuch"], &params).await.unwrap();
    let status = attached.take_status().unwrap().await.unwrap();
    assert!(status.message.unwrap().contains("executable file not found in $PATH"));
    let absent = api.exec("nope", ["true"], &params).await.err().unwrap();
    assert!(absent.to_string().contains("404"), "{absent}");
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stdin_reaches_the_command() {
    let (simulator, client) = cluster().await;
    let api: Api<Pod> = Api::namespaced(client, "default");
    pod(&api).await;
    let params = AttachParams::default().stdin(true).stdout(true).stderr(false);
    let mut attached = api.exec("sh", ["cat"], &params).await.unwrap();
    let mut stdin = attached.stdin().unwrap();
    let mut stdout = attached.stdout().unwrap();
    stdin.write_all(b"hello").await.unwrap();
    stdin.flush().await.unwrap();
    let mut bytes = [0; 5];
    stdout.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"hello");
    drop(stdin);
    simulator.shutdown().await;
}
