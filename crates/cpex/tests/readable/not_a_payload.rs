use cpex::plugin;

struct Guard;

#[plugin]
impl Guard {
    #[hook("ping")]
    async fn check(&self, call: &String) {}
}

fn main() {}
