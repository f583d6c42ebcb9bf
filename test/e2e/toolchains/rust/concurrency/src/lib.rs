//! Asynchronous imports as `async` Rust uses them: many at once, some of them dropped before their end.

use futures::future::{join_all, select_all};
use test::concurrency::host::{halve, later, note, pause, Account};

wit_bindgen::generate!({
    path: "concurrency.wit",
    generate_all,
    sync: ["import:test:concurrency/host@1.0.0#pause"],
});

struct Concurrency;
export!(Concurrency);

impl Guest for Concurrency {
    async fn all(delays_ms: Vec<u32>) -> Vec<String> {
        join_all(delays_ms.into_iter().map(labelled)).await
    }

    async fn first(delays_ms: Vec<u32>) -> String {
        let calls = delays_ms.into_iter().map(|ms| Box::pin(labelled(ms)));
        // The others are dropped, and so cancelled.
        let (label, _, others) = select_all(calls).await;
        drop(others);
        label
    }

    async fn halves(numbers: Vec<u32>) -> Result<Vec<u32>, String> {
        join_all(numbers.into_iter().map(halve))
            .await
            .into_iter()
            .collect()
    }

    async fn deposit(amounts: Vec<i64>) -> Vec<i64> {
        let account = Account::new(0);
        join_all(amounts.into_iter().map(|amount| account.add(amount))).await
    }

    async fn early(ms: u32) -> String {
        wit_bindgen::spawn_local(async move {
            note(&labelled(ms).await);
        });
        "early".into()
    }

    async fn turns(count: u32) {
        for turn in 0..count {
            note(&turn.to_string());
            wit_bindgen::yield_async().await;
        }
    }

    async fn paused(ms: u32) {
        note("before");
        pause(ms);
        note("after");
    }

    async fn blocking(delays_ms: Vec<u32>) -> Vec<String> {
        wit_bindgen::block_on(join_all(delays_ms.into_iter().map(labelled)))
    }
}

async fn labelled(ms: u32) -> String {
    later(ms, format!("after {ms}")).await
}
