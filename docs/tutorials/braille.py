# %% [markdown]
# # braille
