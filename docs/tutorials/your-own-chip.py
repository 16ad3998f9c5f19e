# %% [markdown]
# # your-own-chip
