//! Reads what another component writes.

use test::streams::source::{greetings, numbers, promise};

wit_bindgen::generate!({
    path: "../streams.wit",
    world: "consumer",
});

struct Consumer;
export!(Consumer);

impl Guest for Consumer {
    async fn sum(count: u32) -> u64 {
        let mut reader = numbers(count).await;
        let mut sum = 0;
        while let Some(number) = reader.next().await {
            sum += u64::from(number);
        }
        sum
    }

    async fn first(count: u32) -> u32 {
        let mut reader = numbers(count).await;
        // The rest of them is for nobody.
        reader.next().await.unwrap_or_default()
    }

    async fn greet(names: Vec<String>) -> Vec<String> {
        let (mut writer, reader) = wit_stream::new();
        wit_bindgen::spawn_local(async move {
            writer.write_all(names).await;
        });
        greetings(reader).await.collect().await
    }

    async fn promised(name: String) -> String {
        promise(name).await.await
    }
}
