# %% [markdown]
# # your-device-data
