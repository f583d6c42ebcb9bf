//! Gives streams and futures away, and writes them while the component that called reads.

use exports::test::streams::source::Guest;
use wit_bindgen::rt::async_support::{FutureReader, StreamReader};

wit_bindgen::generate!({
    path: "../streams.wit",
    world: "producer",
});

struct Producer;
export!(Producer);

impl Guest for Producer {
    async fn numbers(count: u32) -> StreamReader<u32> {
        let (mut writer, reader) = wit_stream::new();
        wit_bindgen::spawn_local(async move {
            // What is left was not read: the reader is gone.
            writer.write_all((0..count).collect()).await;
        });
        reader
    }

    async fn greetings(mut names: StreamReader<String>) -> StreamReader<String> {
        let (mut writer, reader) = wit_stream::new();
        wit_bindgen::spawn_local(async move {
            while let Some(name) = names.next().await {
                writer.write_one(format!("Grüße, {name}")).await;
            }
        });
        reader
    }

    async fn promise(name: String) -> FutureReader<String> {
        let (writer, reader) = wit_future::new(|| "nothing".into());
        wit_bindgen::spawn_local(async move {
            wit_bindgen::yield_async().await;
            let _ = writer.write(format!("for {name}")).await;
        });
        reader
    }
}
