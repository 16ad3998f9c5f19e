# %% [markdown]
# # your-words
