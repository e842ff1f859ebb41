"""Judge images without an end: listed once, read shard by shard, written part by part."""
