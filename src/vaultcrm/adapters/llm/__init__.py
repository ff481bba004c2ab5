"""The adapters that write drafts: three that implement the port `Drafter`, and what they share.

| module              | holds                                                                   |
|---------------------|-------------------------------------------------------------------------|
| `factory`           | `build_drafter`: which of the three the settings ask for                |
| `anthropic`         | Claude, through the `anthropic` SDK                                     |
| `openai_compatible` | any server that speaks Chat Completions (Ollama, vLLM, llama.cpp)       |
| `retrieval`         | no model: the creator's own approved replies and templates, ranked      |
| `calling`           | a call in no provider's words, and the drafter that both model          |
|                     | adapters are built on                                                   |
| `answers`           | what a model is asked to answer with, and how its answer is read: a     |
|                     | draft, an analysis, a judgement                                         |
| `repair`            | one answer, one repair at most, one outcome                             |
| `checking`          | the prompt that has a fan's message analysed (`prompts/`)               |
| `retrying`          | waiting and trying again, for `openai_compatible` (the SDK has its own) |
| `rough_analysis`    | an analysis by word lists (`rough_words.toml`), for `retrieval`         |
| `catalog`           | what models can do and cost: the dated table `models.toml`              |

No key is needed for `retrieval`; it is what runs until somebody sets one.
"""
