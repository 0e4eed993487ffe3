# %% [markdown]
# # Answers, scores and routes of a model
# A notebook in Jupyter's, VS Code's or Spyder's cells, and a script: it needs the wheel of
# `tools/make_wheel` and matplotlib, and finds the shipped model by `TRIVIUM_HOME`.

# %%
import matplotlib.pyplot as plt
import numpy as np

import trivium

generator = trivium.Generator.load()
print(f"{len(generator.tasks)} tasks, among them {', '.join(generator.tasks[:4])}")

# %% [markdown]
# ## Answers
# A task is named, or found by the prompt.

# %%
films = ["a gorgeous, witty film", "dull from start to end"]
for film, answer in zip(films, generator.generate(films, task="sst2")):
    print(f"{film}: {answer.text} (probability {np.exp(answer.score):.2f})")

asked = ["how do i get a new credit card pin", "Apple shares fall after weak iPhone sales"]
for prompt, answer in zip(asked, generator.generate(asked)):
    print(f"{prompt}: {answer.text} ({answer.task})" if answer.fits else f"{prompt}: like no known task")

# %% [markdown]
# ## Options, ranked

# %%
options = ["negative", "neutral", "positive"]
scores = generator.score("the food was cold and the waiter was rude", options, task="absa_restaurants")
shares = np.exp(scores) / np.exp(scores).sum()
for i in np.argsort(-shares):
    print(f"{options[i]:<9} {shares[i]:.2f}")

# %% [markdown]
# ## Texts that are alike

# %%
texts = ["a boring movie", "a dull film", "book a table for two"]
vectors = generator.embed(texts)
print(np.round(vectors @ vectors.T, 2))

# %% [markdown]
# ## The routes of all tasks
# A cell is a layer; its colour is the mixture of the colours of the layer's experts by the task's weights.
# Tasks of like routes stand side by side. Layers that are no pools of experts are left out.

# %%
routes = {task: generator.route(task) for task in generator.tasks}
layers = [(f"{stack[:3]} {i + 1}", np.array([getattr(routes[task], stack)[i] for task in routes]))
          for stack in ("encoder", "decoder")
          for i in range(getattr(routes[generator.tasks[0]], stack).shape[0])]
pools = [(name, weights) for name, weights in layers if np.isfinite(weights).sum(axis=1).max() > 1]
num_experts = max(weights.shape[1] for _, weights in pools)
colours = plt.get_cmap("Set2")(np.arange(num_experts))[:, :3]

order = np.lexsort([weights.argmax(axis=1) for _, weights in reversed(pools)])
picture = np.stack([np.nan_to_num(weights[order]) @ colours[:weights.shape[1]] for _, weights in pools],
                   axis=1)
figure, axes = plt.subplots(figsize=(5.6, 9.6), layout="constrained")
axes.imshow(picture, aspect="auto", interpolation="nearest")
axes.set_xticks(range(len(pools)), [name for name, _ in pools])
axes.set_yticks(range(len(order)), np.array(generator.tasks)[order], fontsize=7)
axes.set_xticks(np.arange(len(pools) - 1) + 0.5, minor=True)
axes.set_yticks(np.arange(len(order) - 1) + 0.5, minor=True)
axes.grid(which="minor", color="white", linewidth=1)
axes.tick_params(which="both", length=0)
for side in axes.spines.values():
    side.set_visible(False)
figure.legend([plt.Rectangle((0, 0), 1, 1, color=colour) for colour in colours],
              [f"expert {i + 1}" for i in range(num_experts)], ncols=num_experts,
              loc="outside upper center", frameon=False)
figure.savefig("routes.png", dpi=100)
