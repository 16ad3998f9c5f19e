# %% [markdown]
# # noise
