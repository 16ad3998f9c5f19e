# %% [markdown]
# # costs
