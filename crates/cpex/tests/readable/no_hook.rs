use cpex::plugin;

struct Guard;

#[plugin]
impl Guard {
    async fn check(&self) {}
}

fn main() {}
